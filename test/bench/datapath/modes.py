"""What the load balancer's namespace is given in each mode: the files of one configuration.

A service has an address of its own, 10.1.x.y, and real servers of its own, 172.16.x.y. (Where services share one, a client
that takes the same port for two of them meets IPVS's limit: the answers cannot be told apart.) What stands for
kube-proxy are the chains and maps that its sources (1.33) make for a Service of type LoadBalancer with a policy of
Cluster, without node ports: also what it does beside that service, as for each packet that it forwards.
"""
import os

POOL, NODES = "10.1.0.0/16", 3
PORT = 80


def service_address(i):
    return f"10.1.{i // 250}.{i % 250 + 1}"


def cluster_address(i):
    return f"10.96.{i // 250}.{i % 250 + 1}"


def server_address(i):
    """The servers are spread over the nodes web1 to web3 in turn."""
    node, number = i % NODES + 1, i // NODES
    assert number < 1000
    return f"172.16.{4 * node + number // 250}.{number % 250 + 1}"


def direct(_services, _servers):
    return {}


def routed(_services, _servers):
    """Through the load balancer's namespace, both ways, which only forwards."""
    return {"lb": "sysctl -qw net.ipv4.ip_forward=1\n",
            "hosts": "ip -n router route replace 172.16.0.0/16 via 10.0.0.11\n" + "".join(
                f"ip -n router route del 172.16.{4 * n}.0/22\nip -n web{n} route replace default via 10.0.0.11\n"
                for n in range(1, NODES + 1))}


def iptables(services, servers):
    nat, filters = [], []
    chains = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"]
    for i in range(services):
        comment = f'-m comment --comment "default/web{i}"'
        chains += [f"KUBE-SVC-{i:013}", f"KUBE-EXT-{i:013}"]
        nat += [f"-A KUBE-SERVICES -d {address}/32 -p tcp {comment} -m tcp --dport {PORT} -j KUBE-{kind}-{i:013}"
                for address, kind in ((cluster_address(i), "SVC"), (service_address(i), "EXT"))]
        nat += [f"-A KUBE-EXT-{i:013} {comment} -j KUBE-MARK-MASQ", f"-A KUBE-EXT-{i:013} -j KUBE-SVC-{i:013}",
                f"-A KUBE-SVC-{i:013} ! -s 172.16.0.0/16 -d {cluster_address(i)}/32 -p tcp {comment} -m tcp "
                f"--dport {PORT} -j KUBE-MARK-MASQ"]
        for j in range(servers):
            chain = f"KUBE-SEP-{i:06}{j:07}"
            left = servers - j
            chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            chains.append(chain)
            nat += [f"-A KUBE-SVC-{i:013} {comment} {chance}-j {chain}",
                    f"-A {chain} -s {server_address(i * servers + j)}/32 {comment} -j KUBE-MARK-MASQ",
                    f"-A {chain} -p tcp {comment} -m tcp -j DNAT --to-destination {server_address(i * servers + j)}:{PORT}"]
    nat += ["-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
            "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
            "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000", "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
            "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
            "-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES", "-A POSTROUTING -j KUBE-POSTROUTING"]
    new = "-m conntrack --ctstate NEW -j"
    filters += [f":{chain} - [0:0]" for chain in ("KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL", "KUBE-EXTERNAL-SERVICES",
                                                  "KUBE-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-PROXY-CANARY")]
    filters += [f"-A INPUT {new} KUBE-PROXY-FIREWALL", "-A INPUT -j KUBE-NODEPORTS",
                f"-A INPUT {new} KUBE-EXTERNAL-SERVICES", "-A INPUT -j KUBE-FIREWALL",
                f"-A FORWARD {new} KUBE-PROXY-FIREWALL", "-A FORWARD -j KUBE-FORWARD", f"-A FORWARD {new} KUBE-SERVICES",
                f"-A FORWARD {new} KUBE-EXTERNAL-SERVICES",
                f"-A OUTPUT {new} KUBE-PROXY-FIREWALL", f"-A OUTPUT {new} KUBE-SERVICES", "-A OUTPUT -j KUBE-FIREWALL",
                "-A KUBE-FIREWALL -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT "
                "-j DROP", "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
                "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT",
                "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
    rules = ["*mangle", ":KUBE-PROXY-CANARY - [0:0]", "COMMIT", "*filter", *filters, "COMMIT",
             "*nat", *(f":{chain} - [0:0]" for chain in chains), *nat, "COMMIT"]
    return {"lb": "sysctl -qw net.ipv4.ip_forward=1\niptables-legacy-restore < rules\n", "rules": "\n".join(rules) + "\n"}


NFT_BASE = """
table ip kube-proxy {
    set cluster-ips { type ipv4_addr; }
    set nodeport-ips { type ipv4_addr; elements = { 10.0.0.11 } }
    map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
    map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
    map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
    map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
    map service-nodeports { type inet_proto . inet_service : verdict; }
    chain cluster-ips-check {
        ip daddr @cluster-ips reject
        ip daddr { 10.96.0.0/16 } drop
    }
    chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
    chain nodeport-endpoints-check { ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports; }
    chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }
    chain mark-for-masquerade { mark set mark or 0x4000; }
    chain masquerading {
        mark and 0x4000 == 0 return
        mark set mark xor 0x4000
        masquerade fully-random
    }
    chain services {
        ip daddr . meta l4proto . th dport vmap @service-ips
        ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
    }
    chain filter-prerouting-pre-dnat { type filter hook prerouting priority -110; ct state new jump firewall-check; }
    chain filter-output-pre-dnat { type filter hook output priority -110; ct state new jump firewall-check; }
    chain filter-forward {
        type filter hook forward priority 0
        ct state new jump service-endpoints-check
        ct state new jump cluster-ips-check
    }
    chain filter-input {
        type filter hook input priority 0
        ct state new jump nodeport-endpoints-check
        ct state new jump service-endpoints-check
    }
    chain filter-output {
        type filter hook output priority 0
        ct state new jump service-endpoints-check
        ct state new jump cluster-ips-check
    }
    chain nat-output { type nat hook output priority -100; jump services; }
    chain nat-postrouting { type nat hook postrouting priority 100; jump masquerading; }
    chain nat-prerouting { type nat hook prerouting priority -100; jump services; }
}
"""


def nftables(services, servers):
    chains, addresses, cluster = [], [], []
    for i in range(services):
        for j in range(servers):
            chains.append(f"""chain endpoint-{i}-{j} {{
                ip saddr {server_address(i * servers + j)} jump mark-for-masquerade
                meta l4proto tcp dnat to {server_address(i * servers + j)}:{PORT}
            }}""")
        endpoints = ", ".join(f"{j} : goto endpoint-{i}-{j}" for j in range(servers))
        chains.append(f"""chain service-{i} {{
            ip daddr {cluster_address(i)} ip saddr != 172.16.0.0/16 jump mark-for-masquerade
            numgen random mod {servers} vmap {{ {endpoints} }}
        }}
        chain external-{i} {{
            jump mark-for-masquerade
            goto service-{i}
        }}""")
        cluster.append(cluster_address(i))
        addresses += [f"{cluster_address(i)} . tcp . {PORT} : goto service-{i}",
                      f"{service_address(i)} . tcp . {PORT} : goto external-{i}"]
    rules = NFT_BASE + "table ip kube-proxy {\n" + "\n".join(chains) + "\n}\n" + \
        f"add element ip kube-proxy cluster-ips {{ {', '.join(cluster)} }}\n" + \
        f"add element ip kube-proxy service-ips {{ {', '.join(addresses)} }}\n"
    return {"lb": "sysctl -qw net.ipv4.ip_forward=1\nnft -f rules\n", "rules": rules}


def ipvs(services, servers, service, server, **more):
    """The pod as its init container prepares it, and the table as keepalived would write it."""
    table = []
    for i in range(services):
        virtual = f"{service_address(i)}:{PORT}"
        table.append(f"-A -t {virtual} {service}")
        table += [f"-a -t {virtual} -r {server_address(i * servers + j)}:{PORT} {server} -w 1" for j in range(servers)]
    return {"lb": f"netns-setup {POOL}\nipvsadm -R < table\n", "table": "\n".join(table) + "\n", **more}


def nat(services, servers):
    return ipvs(services, servers, "-s rr", "-m")


def nat_overlay(services, servers):
    """Where the pod's network takes less than others do, segments are clamped."""
    files = nat(services, servers)
    return {**files, "lb": "ip link set eth0 mtu 1450\n" + files["lb"]}


def tunnel(services, servers):
    return ipvs(services, servers, "-s mh -b mh-port,mh-fallback", "-i", hosts="".join(
        f"ip netns exec web{n} tunnel-setup {POOL}\n" for n in range(1, NODES + 1)))


LOCAL = f"ip route add local {POOL} dev lo\n"


def nginx(kind, service, services, servers, frame="", upstream=""):
    upstreams = "".join(f"upstream web{i} {{ " + "".join(
        f"server {server_address(i * servers + j)}:{PORT}; " for j in range(servers)) + upstream + " }\n" for i in range(services))
    listen = "".join(f"server {{ listen {service_address(i)}:{PORT}; {service.format(upstream=f'web{i}')} }}\n"
                     for i in range(services))
    return {"lb": f"{LOCAL}nginx -c $PWD/nginx.conf\n",
            "nginx.conf": f"{frame}worker_processes 1;\nworker_rlimit_nofile 8192;\nerror_log stderr;\n"
                          f"events {{ worker_connections 4096; }}\n{kind} {{\naccess_log off;\n{upstreams}{listen}}}\n"}


def nginx_http(services, servers):
    return nginx("http", "location / {{ proxy_pass http://{upstream}; }}", services, servers)


def nginx_keep(services, servers):
    """With connections to the servers that are kept, whatever the client's are."""
    return nginx("http", 'location / {{ proxy_pass http://{upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; }}',
                 services, servers, upstream="keepalive 64;")


def nginx_stream(services, servers):
    return nginx("stream", "proxy_pass {upstream};", services, servers,
                 frame="load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n")


def haproxy(services, servers):
    """Each service with a frontend and a backend of its own."""
    proxies = "".join(
        f"frontend service{i}\n    bind {service_address(i)}:{PORT}\n    default_backend web{i}\n"
        f"backend web{i}\n    balance roundrobin\n" + "".join(
            f"    server s{j} {server_address(i * servers + j)}:{PORT}\n" for j in range(servers)) for i in range(services))
    return {"lb": f"{LOCAL}haproxy -D -f haproxy.cfg\n",
            "haproxy.cfg": "global\n    nbthread 1\n    maxconn 2000\ndefaults\n    mode tcp\n    timeout connect 5s\n"
                           f"    timeout client 60s\n    timeout server 60s\n{proxies}"}


MODES = {"direct": direct, "routed": routed, "iptables": iptables, "nft": nftables, "nat": nat,
         "nat-overlay": nat_overlay, "tunnel": tunnel, "nginx-http": nginx_http, "nginx-keep": nginx_keep,
         "nginx-stream": nginx_stream, "haproxy": haproxy}


def addresses(mode, services, servers):
    """What the client asks: the services, or without them the servers."""
    if mode in ("direct", "routed"):
        return [server_address(i) for i in range(servers)]
    return [service_address(i) for i in range(services)]


def write(plan, name, files):
    os.makedirs(f"{plan}/{name}")
    for file, text in files.items():
        with open(f"{plan}/{name}/{file}", "w", encoding="ascii") as out:
            out.write(text)
