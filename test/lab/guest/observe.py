"""What the kernel says: routes and IPVS tables of any machine, read without starting a process."""
import socket
import struct

import linux

RTM_GETROUTE, RTM_NEWROUTE, NLMSG_DONE = 26, 24, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH = 1, 4, 5, 9
ROUTE_MESSAGE = struct.Struct("=BBBBBBBBI")


def _attributes(data):
    """The attributes of a netlink message: (type, value), each aligned to 4 bytes."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:length]
        data = data[(length + 3) & ~3:]


def _gateways(multipath, family):
    while len(multipath) >= 8:
        length = struct.unpack_from("=H", multipath)[0]
        for kind, value in _attributes(multipath[8:length]):
            if kind == RTA_GATEWAY:
                yield socket.inet_ntop(family, value)
        multipath = multipath[(length + 3) & ~3:]


def routes(machine, family=socket.AF_INET):
    """The routes of a machine's main table: {prefix: sorted list of its gateways}."""
    with linux.netns(machine):
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    with netlink:
        body = ROUTE_MESSAGE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        netlink.send(struct.pack("=IHHII", 16 + len(body), RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        found = {}
        while True:
            data = netlink.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NLMSG_DONE:
                    return found
                if kind == RTM_NEWROUTE:
                    _, bits, _, _, table, *_ = ROUTE_MESSAGE.unpack_from(data, 16)
                    values = dict(_attributes(data[28:length]))
                    if table == 254 and RTA_DST in values:
                        gateways = list(_gateways(values.get(RTA_MULTIPATH, b""), family))
                        if RTA_GATEWAY in values:
                            gateways.append(socket.inet_ntop(family, values[RTA_GATEWAY]))
                        found[f"{socket.inet_ntop(family, values[RTA_DST])}/{bits}"] = sorted(gateways)
                data = data[(length + 3) & ~3:]


def listens(machine, port):
    with linux.netns(machine), open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        return any(line.split()[1:4:2] == [f"00000000:{port:04X}", "0A"] for line in file)


def _address(text):
    host, _, port = text.partition(":")
    return f"{socket.inet_ntoa(bytes.fromhex(host))}:{int(port, 16)}"


def ipvs(pod):
    """The pod's IPVS table: {virtual server: {real server: weight}}, each as address:port."""
    with linux.netns(pod), open("/proc/thread-self/net/ip_vs", encoding="ascii") as file:
        lines = file.readlines()[3:]
    table, servers = {}, {}
    for line in lines:
        words = line.split()
        if words[0] == "->":
            servers[_address(words[1])] = int(words[3])
        else:
            servers = table[_address(words[1])] = {}
    return table


def ipvs_connections(pod):
    """How many connections the pod's IPVS has scheduled since it started.

    From the counter of the guest's one CPU: all sums in /proc/net are up to 2 s old."""
    with linux.netns(pod), open("/proc/thread-self/net/ip_vs_stats_percpu", encoding="ascii") as file:
        return next(int(words[1], 16) for words in map(str.split, file) if words[:1] == ["0"])
