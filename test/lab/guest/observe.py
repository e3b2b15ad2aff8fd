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
        length, _, weight = struct.unpack_from("=HBB", multipath)
        for kind, value in _attributes(multipath[8:length]):
            if kind == RTA_GATEWAY:
                yield socket.inet_ntop(family, value), weight + 1
        multipath = multipath[(length + 3) & ~3:]


def prefix_of(message, family):
    """The prefix of a route message of the main table; None if it is about another table, or the default route."""
    _, bits, _, _, table, *_ = ROUTE_MESSAGE.unpack_from(message)
    values = dict(_attributes(message[12:]))
    return f"{socket.inet_ntop(family, values[RTA_DST])}/{bits}" if table == 254 and RTA_DST in values else None


def routes(machine, family=socket.AF_INET):
    """The routes of a machine's main table: {prefix: sorted list of its gateways}."""
    return {prefix: sorted(gateways) for prefix, gateways in weighted_routes(machine, family).items()}


def weighted_routes(machine, family=socket.AF_INET):
    """The routes of a machine's main table: {prefix: {gateway: weight}}."""
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
                    prefix = prefix_of(data[16:length], family)
                    if prefix:
                        values = dict(_attributes(data[28:length]))
                        gateways = dict(_gateways(values.get(RTA_MULTIPATH, b""), family))
                        if RTA_GATEWAY in values:
                            gateways[socket.inet_ntop(family, values[RTA_GATEWAY])] = 1
                        # of several, the kernel lists first, and uses, the one of the best metric
                        found.setdefault(prefix, gateways)
                data = data[(length + 3) & ~3:]


def listens(machine, port):
    with linux.netns(machine), open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        return any(line.split()[1:4:2] == [f"00000000:{port:04X}", "0A"] for line in file)


def get(machine, address, port, path):
    """Status and body of the answer to a GET from that machine; (0, "") if there is none."""
    with linux.netns(machine):
        client = socket.socket()
    with client:
        client.settimeout(2)
        try:
            client.connect((address, port))
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).decode().partition("\r\n\r\n")
        except OSError:
            return 0, ""
    return int(head.split()[1]) if head else 0, body


def _address(text):
    host, _, port = text.rpartition(":")
    if ":" in host:  # in brackets in the table, without in the list of connections
        host = f"[{socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host.strip('[]')))}]"
    else:
        host = socket.inet_ntoa(bytes.fromhex(host))
    return f"{host}:{int(port, 16)}"


def connected(machine, port):
    """The addresses that have a TCP connection with this port of the machine."""
    with linux.netns(machine), open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {socket.inet_ntoa(bytes.fromhex(row[2].partition(":")[0])[::-1]) for row in rows
            if row[1].endswith(f":{port:04X}") and row[3] == "01"}


def ipvs(pod):
    """The pod's IPVS table: {virtual server: {real server: weight}}, each as address:port."""
    with linux.netns(pod), open("/proc/thread-self/net/ip_vs", encoding="ascii") as file:
        return ipvs_table(file.readlines())


def ipvs_table(lines):
    """As ipvs(), from the lines of /proc/net/ip_vs."""
    table, servers = {}, {}
    for line in lines[3:]:
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


def ipvs_flows(pod, virtual_server):
    """(client, real server) of every connection that the pod's IPVS knows of a virtual server, each as address:port."""
    with linux.netns(pod), open("/proc/thread-self/net/ip_vs_conn", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] in ("TCP", "UDP") and _address(":".join(words[3:5])) == virtual_server:
                yield _address(":".join(words[1:3])), _address(":".join(words[5:7]))
