"""Stand-ins until coracle renders these."""
REFLECTOR_YML = """
global:
  config: {as: 65021, router-id: 10.0.0.109, local-address-list: [0.0.0.0]}
  use-multiple-paths: {config: {enabled: true}}
peer-groups:
  - config: {peer-group-name: k8s, peer-as: 65021}
    afi-safis: [{config: {afi-safi-name: ipv4-unicast}}]
dynamic-neighbors:
  - config: {prefix: 172.16.0.0/16, peer-group: k8s}
neighbors:
  - config: {neighbor-address: 10.0.0.110, peer-as: 65021}
    route-reflector: {config: {route-reflector-client: true, route-reflector-cluster-id: 10.0.0.109}}
    add-paths: {config: {send-max: 255}}
"""
ROUTER_YML = """
global:
  config: {as: 65021, router-id: 10.0.0.110, local-address-list: [0.0.0.0]}
  use-multiple-paths: {config: {enabled: true}}
neighbors:
  - config: {neighbor-address: 10.0.0.109, peer-as: 65021}
    timers: {config: {connect-retry: 1, idle-hold-time-after-reset: 1}}
    add-paths: {config: {receive: true}}
zebra:
  config: {enabled: true, url: "unix:/run/frr/zserv.api", version: 6, software-name: frr8.4}
"""


def exabgp(pod):
    return f"""
process ctl {{ run /bin/sh /mnt/tree/test/lab/guest/standin {pod.address} {pod.node_address}; encoder text; }}
neighbor 10.0.0.109 {{
  router-id {pod.address}; local-address {pod.address}; local-as 65021; peer-as 65021; hold-time 9;
  family {{ ipv4 unicast; }}
  api {{ processes [ ctl ]; }}
}}
"""


KEEPALIVED = """
global_defs { lvs_flush }
virtual_server 10.1.1.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  alpha
""" + "".join(f"""
  real_server 172.16.{n}.2{n} 80 {{ weight 1
    TCP_CHECK {{ connect_timeout 1 retry 1 delay_before_retry 1 }} }}
""" for n in (1, 2, 3)) + "}\n"
