/* A small site for the tests that need one: objects as text in, a plan as text out. */
#pragma once

#include "base/strbuf.h"
#include "core/config.h"
#include "core/plan.h"

/* Objects as YAML documents in flow style; all in the namespace "shop". `meta` and `spec` begin with a comma.
 */
#define SERVICE(name, meta, spec)                                                              \
        "---\n{kind: Service, apiVersion: v1, metadata: {name: " name ", namespace: shop" meta \
        "}, spec: {type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp" spec "}}\n"
#define SLICE(name, service, rest)                                                           \
        "---\n{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: {name: " name \
        ", namespace: shop, labels: {kubernetes.io/service-name: " service "}}, " rest "}\n"
#define IPV4(port, endpoints) "addressType: IPv4, ports: [{port: " port "}], endpoints: [" endpoints "]"
#define READY(address) "{addresses: ['" address "']}"
#define DRAINING(address) \
        "{addresses: ['" address "'], conditions: {ready: false, serving: true, terminating: true}}"
#define DOWN(address) "{addresses: ['" address "'], conditions: {ready: false, serving: false}}"

/* A pool of 10.1.1.0/29 and fd00:1:1::/125, everything else as by default. Fails the test if it cannot. */
struct config *site_config(void);

/* Decodes the objects and plans them. Fails the test if it cannot, or if an object is bad. */
struct plan *site_plan(const struct config *config, const char *objects, enum plan_addresses addresses);

/* One line per virtual server: "10.1.1.1 TCP 80 nat rr shop/web: 172.16.1.1:8080*1 …\n"; '!' after the
 * scheduler if its servers are checked. */
void site_dump_plan(const struct plan *plan, struct strbuf *out);

/* One line per problem: "shop/web Reason\n". */
void site_dump_problems(const struct plan *plan, struct strbuf *out);
