"""The section `datapath` of docs/evaluation.md, its CSV and plots, from what datapath.py has measured."""
import collections
import os

import page
import rig

SMALL = (1, 3)
NAMES = {"direct": "none: the client asks the real server", "routed": "none, but packets go through its namespace both ways",
         "iptables": "kube-proxy's rules, iptables-legacy", "nft": "kube-proxy's rules, nftables", "nat": "**Coracle, nat**",
         "nat-overlay": "**Coracle, nat**, in a pod network of 1,450 bytes", "tunnel": "**Coracle, tunnel**",
         "nginx-http": "nginx, http", "nginx-keep": "nginx, http, servers' connections kept",
         "nginx-stream": "nginx, stream", "haproxy": "haproxy, tcp"}
GROUPS = (("IPVS", ("ip_vs", "ip_vs_rr", "xt_ipvs"), ()),
          ("conntrack and its NAT", ("nf_conntrack", "nf_nat", "nf_defrag_ipv4", "xt_MASQUERADE", "nft_masq", "nft_chain_nat"),
           ("__siphash_unaligned", "skb_ensure_writable", "csum_partial", "inet_proto_csum_replace4", "nf_ip_checksum")),
          ("tables and their rules", ("ip_tables", "iptable_nat", "x_tables", "nf_tables", "nft_ct", "nft_nat", "nft_numgen"),
           ("nf_hook_slow",)),
          ("routing", (), ("fib_", "__fib", "ip_route", "ip_rt", "__mkroute", "__inet_dev_addr_type", "inet_addr_type",
                           "rt_", "dst_", "xfrm_", "__xfrm", "decode_session", "security_xfrm", "find_exception",
                           "ipv4_dst")))

BARS = """set title "One short HTTP request on a connection of its own: over plain forwarding by the same way"
set style fill solid 0.6
set xrange [-0.6:{last}+0.6]
set grid y
set yrange [0:*]
set ylabel "thousand instructions"
set xtics rotate by -25
plot "{data}" using 0:($4-{base}):($5-{base}):($6-{base}):(0.6):xtic(1) every ::2 with boxerrorbars notitle
"""
GROWTH = """set multiplot layout 1,2
set logscale x
set grid
set xrange [{first}:1100]
set yrange [0:*]
set key below
set ylabel "thousand instructions a request"
set xlabel "{what}"
plot {lines}
"""


def medians(boots):
    """(mode, services, servers, what) → (median, lowest, highest), in thousand instructions."""
    values = collections.defaultdict(list)
    for row in boots:
        key = row["mode"], int(row["services"]), int(row["servers"]), row["what"]
        values[key].append(float(row["instructions"]) / 1000)
    return {key: (page.median(found), min(found), max(found), len(found)) for key, found in values.items()}


def group_of(function, module):
    for name, modules, functions in GROUPS:
        if module in modules or (module == "kernel" and function.startswith(tuple(functions) or ("\0",))):
            return name
    return "everything else"


def grouped(functions):
    """Mode → group → instructions."""
    sums = collections.defaultdict(collections.Counter)
    for row in functions:
        sums[row["mode"]][group_of(row["function"], row["module"])] += float(row["instructions"])
    return sums


def table(rows):
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def small_table(figures, base):
    for mode, name in NAMES.items():
        close, keep = (figures[(mode, *SMALL, what)] for what in ("close", "keep"))
        over = ["", ""] if mode in ("direct", "routed") else \
            [f"{close[0] - base['close']:+.1f}", f"{keep[0] - base['keep']:+.2f}"]
        yield (name, f"{close[0]:.1f} ({close[1]:.1f} to {close[2]:.1f})", over[0],
               f"{keep[0]:.2f} ({keep[1]:.2f} to {keep[2]:.2f})", over[1])


def comparison(figures):
    """How nat stands beside each of the others, in words that the figures decide."""
    def versus(other, what):
        difference = figures[("nat", *SMALL, what)][0] - figures[(other, *SMALL, what)][0]
        return f"{abs(difference):.1f} thousand instructions {'more' if difference > 0 else 'fewer'}"
    names = {"nft": "nftables", "iptables": "iptables"}
    for what, words in (("close", "connection"), ("keep", "request on a connection that stays")):
        behind = [name for other, name in names.items()
                  if figures[("nat", *SMALL, what)][0] > figures[(other, *SMALL, what)][0]]
        verdict = f"**Coracle's nat is behind kube-proxy's {' and '.join(behind)}**" if behind else \
            "Coracle's nat is behind neither of kube-proxy's modes"
        yield page.fill(f"{verdict} for a {words}, with one service and three servers: it costs {versus('nft', what)} than "
                            f"with nftables and {versus('iptables', what)} than with iptables.")


def growth_comparison(figures):
    """The same for the largest sizes: whom nat is behind there."""
    sizes = [size for size in {key[1:3] for key in figures} if 1000 in size]
    for services, servers in sorted(sizes):
        cost = {mode: figures[(mode, services, servers, "close")][0] for mode in NAMES
                if (mode, services, servers, "close") in figures}
        behind = sorted((mode for mode in cost if mode not in ("nat", "tunnel") and cost[mode] < cost["nat"]), key=cost.get)
        what = f"{services:,} services" if services > 1 else f"{servers:,} servers of one service"
        yield f"With {what} nat is behind {' and '.join(behind)}." if behind else f"With {what} nat is behind none of them."


def growth_rows(figures):
    sizes = sorted({key[1:3] for key in figures})
    modes = [mode for mode in NAMES if (mode, 1000, 3, "close") in figures]
    return modes, [(services, servers, *(f"{figures[(mode, services, servers, 'close')][0]:.2f}" for mode in modes))
                   for services, servers in sizes]


def plot_growth(target, modes, growth):
    scripts = []
    for what, which, column in (("services", 3, 1), ("real servers of one service", 1, 2)):
        chosen = f"${3 - column}=={which}"
        lines = ", ".join(f'"{target}-growth.csv" using ({chosen} ? ${column} : NaN):{i} with linespoints title "{mode}"'
                          for i, mode in enumerate(modes, 3))
        scripts.append(GROWTH.format(what=what, lines=lines, first=1 if column == 1 else 3))
    page.write(f"{target}-growth.csv", ("services", "servers", *modes), growth)
    page.plot(scripts[0] + scripts[1].replace("set multiplot layout 1,2\n", ""), f"{target}-growth", "1200,500")


def growth_part(target, figures):
    modes, growth = growth_rows(figures)
    if not modes:
        return ""
    plot_growth(target, modes, growth)
    count, spread = spread_of(figures, small=False)
    boots = f"{count} boots, which differ by at most {spread:.1f} %" if count > 1 else \
        "one boot; the first line is the table's median"
    return f"""
**Growth.** One connection, in thousand instructions, the services or servers being asked in turn
({boots}):

![growth](evaluation/datapath-growth.svg)

| services | servers | {' | '.join(modes)} |
|---|---|{'---|' * len(modes)}
{table(growth)}

{page.fill(' '.join(growth_comparison(figures)))}
"""


def spread_of(figures, small):
    """How many boots there were, and the widest range of them, in per cent of the median."""
    chosen = [found for key, found in figures.items() if (key[1:3] == SMALL) == small]
    return (max((n for _, _, _, n in chosen), default=0),
            max(((high - low) / middle * 100 for middle, low, high, _ in chosen), default=0))


def second_run(figures, again):
    """Whether another run gives the same, within what the first one's boots differ by (if there were several)."""
    if not again:
        return ""
    differences = {small: max(abs(again[key][0] / found[0] - 1) * 100 for key, found in figures.items()
                              if (key[1:3] == SMALL) == small and key in again) for small in (True, False)}
    spreads = {small: spread_of(figures, small) for small in (True, False)}
    apart = [small for small, (boots, spread) in spreads.items() if boots > 1 and differences[small] > spread]
    return page.fill(
        f"A second run ([datapath-second.csv](evaluation/datapath-second.csv)) {'does not agree' if apart else 'agrees'} within the "
        f"boots' spread: its medians differ from these by at most {differences[True]:.1f} %, and those of the larger configurations "
        f"by at most {differences[False]:.1f} %.") + "\n"


def write(docs):
    target = f"{docs}/evaluation/datapath"
    boots, functions = (page.read(f"{target}-{name}.csv") for name in ("boots", "functions"))
    figures = medians(boots)
    again = medians(page.read(f"{target}-second.csv")) if os.path.exists(f"{target}-second.csv") else {}
    base = {what: figures[("routed", *SMALL, what)][0] for what in ("close", "keep")}
    page.write(f"{target}.csv", ("mode", "services", "servers", "connection", "connection_low", "connection_high", "request",
                                 "request_low", "request_high"),
               [(mode, *SMALL, *(f"{value:.3f}" for what in ("close", "keep") for value in figures[(mode, *SMALL, what)][:3]))
                for mode in NAMES])
    page.plot(BARS.format(data=f"{target}.csv", base=base["close"], last=len(NAMES) - 3), target, "900,500")
    page.section(docs, "datapath", short(figures), text(figures, again, base, growth_part(target, figures), grouped(functions), page.median(
        [float(row["lb_packets"]) for row in boots if row["mode"] == "nat" and row["what"] == "keep"])))


def short(figures):
    costs = {mode: figures[(mode, *SMALL, "close")][0] for mode in NAMES}
    behind = (costs["nat"] / costs["nft"] - 1) * 100
    verdict = f"nat is behind nftables by {behind:.1f} %" if behind > 0 else "nat is not behind nftables"
    return f"""a connection costs {costs["nat"]:.0f} thousand instructions of all machines together with nat,
        {costs["tunnel"]:.0f} with tunnel, {costs["nft"]:.0f} and {costs["iptables"]:.0f} with kube-proxy's nftables and iptables,
        {costs["nginx-stream"]:.0f} and {costs["haproxy"]:.0f} through nginx and haproxy; {verdict}."""


def text(figures, again, base, growth, sums, packets):
    count, spread = spread_of(figures, small=True)
    boots = f"""{count} boots with other random seeds and in
other orders, of which the median (lowest to highest) is given; they differ by at most {spread:.1f} %""" \
        if count > 1 else "one boot only, so that nothing is known\nof the spread"
    programs = ", ".join(f"{package} {page.version(package)}" for package in ("linux-image-cloud-amd64", *rig.PACKAGES))
    parts = [(name, *(f"{sums[mode][name] / 1000:.1f}" for mode in ("routed", "nft", "nat")),
              f"{(sums['nat'][name] - sums['nft'][name]) / 1000:+.1f}")
             for name in [name for name, *_ in GROUPS] + ["everything else"]]
    return f"""
## What a connection and a packet cost

`test/bench/run datapath`, 15 minutes: instructions of the whole machine (client, router, load balancer, real servers:
namespaces on one bridge) for each request, counted by the clock of an emulated machine that advances by one with each
instruction. The requests are short ones over HTTP, some each on a connection of its own, some on connections that stay;
eight at a time. Debian's cloud kernel; one service and three servers; {boots}. In thousands:

![costs](evaluation/datapath.svg)

| load balancer | a connection | over forwarding | a request on a connection that stays | over forwarding |
|---|---|---|---|---|
{table(small_table(figures, base))}

{second_run(figures, again)}
{chr(10).join(comparison(figures))}

Forwarding is what it costs the packets to pass through one more namespace. With tunnel, answers bypass the load balancer, and
what is counted includes the real server's work of unpacking. A proxy that keeps its connections to the servers saves them
a connection per request, which no layer-4 load balancer can. A request on a connection that stays, with its answer
and acknowledgements, is {packets:.1f} packets through the load balancer.
{growth}
**Where nat's instructions go.** For one connection, in thousands, counted by function (by a plugin of qemu's; the functions
are in [datapath-functions.csv](evaluation/datapath-functions.csv)):

| | plain forwarding | nftables | nat | nat over nftables |
|---|---|---|---|---|
{table(parts)}

nat needs conntrack, as kube-proxy does, because the answers must come back to the pod that has the connection, and the
overlay offers no other way than the pod's own address; and it needs IPVS beside it. A packet for a service passes LOCAL_IN,
where IPVS looks it up as an answer and then as a request, and LOCAL_OUT, where the kernel's NAT routes it once more, since
IPVS has changed its destination. No setting removes these. What can be removed, `deploy/netns-setup` removes:
the second route of answers (`snat_reroute`), the search among the pod's own connections (`ip_early_demux`; without it
kube-proxy's node would save as much), and, where the pod's network takes 1,500 bytes, the table that clamps segments. The
check of source addresses, a lookup for each packet, stays: `accept_local=1` would save it, and let in packets that
pretend to come from a service's address.

What to know about it: instructions are not cycles, and an emulated machine has no caches that miss; what a network card and
several CPUs would add is not in these figures. kube-proxy's part is played by rules made as its sources make them, on a node
with the kernel's settings, Coracle's by its own scripts and an IPVS table written by ipvsadm, without health checks. The
namespaces are joined by veth, whose packets need no checksums. In the growth table each service has servers of its own, which
nginx and haproxy know as an upstream or backend of its own.

{page.fill(programs)}. Figures: [datapath.csv](evaluation/datapath.csv), [each boot's](evaluation/datapath-boots.csv).
"""
