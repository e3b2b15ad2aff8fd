/* For tests of what is planned: objects in short YAML in, the plan as text out, so that a test is a situation
 * and its result. All objects are in the namespace shop. */
#pragma once

#include "core/ipvs_config.h"
#include "core/plan.h"

/* The configuration of most tests: 10.1.1.0/29 has six usable addresses, fd00:1:1::/125 seven. */
#define BGP "bgp: {localAS: 65021, reflectors: [{address: 10.0.0.109, as: 65021}]}\n"
#define POOLS(prefixes) "pools: [{name: public, prefixes: [" prefixes "]}]\n"
#define SITE POOLS("10.1.1.0/29, \"fd00:1:1::/125\"") BGP

/* A Service of ours. `meta`, `spec` and `rest` begin with a comma where they are not empty. */
#define SERVICE(name, meta, spec, rest)                                                            \
        "---\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: " name meta "},\n" \
        " spec: {type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp" spec "}" rest "}\n"
#define PORT80 ", ports: [{port: 80}]"
#define ANNOTATIONS(text) ", annotations: {" text "}"
#define STATUS(ips) ", status: {loadBalancer: {ingress: [" ips "]}}"
#define IP(text) "{ip: \"" text "\"},"

#define PLAIN(name) SERVICE(name, "", PORT80, "")
#define ANNOTATED(name, text) SERVICE(name, ANNOTATIONS(text), PORT80, "")
#define WITH_STATUS(name, ips) SERVICE(name, "", PORT80, STATUS(ips))
#define WITH_SPEC(name, spec) SERVICE(name, "", PORT80 spec, "")

#define SLICE_OF(family, name, service, ports, endpoints)                                                    \
        "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: " family ",\n"             \
        " metadata: {namespace: shop, name: " name ", labels: {kubernetes.io/service-name: " service "}},\n" \
        " ports: [" ports "], endpoints: [" endpoints "]}\n"
#define SLICE(name, service, endpoints) SLICE_OF("IPv4", name, service, "{port: 8080}", endpoints)
#define READY(ip) "{addresses: [\"" ip "\"]},"
#define DRAINING(ip) \
        "{addresses: [\"" ip "\"], conditions: {ready: false, serving: true, terminating: true}},"
#define DOWN(ip) "{addresses: [\"" ip "\"], conditions: {ready: false, serving: false}},"

/* All of these fail the test instead of failing themselves. */
struct config *config_of(const char *text);
void model_of(const char *objects, struct model *out);
struct plan *plan_of(const char *config, const char *objects, enum plan_addresses addresses);

/* Who has which address:          "10.1.1.1 shop/web\n"
 * and what could not be done:      "! shop/web AddressInUse: 10.1.1.1 belongs to shop/api; refused\n" */
void expect_addresses(const char *config, const char *objects, const char *expected);
void expect_status_addresses(const char *config, const char *objects, const char *expected);

/* What the leader writes, and what could not be done. "10.1.1.1 shop/web\n", and without an address where a
 * status is to be emptied: "- shop/web\n" */
void expect_assignments(const char *config, const char *objects, const char *expected);

/* The virtual servers, with "*0" behind servers that drain, and the problems:
 *   "10.1.1.1 TCP 80 shop/web rr nat tcp: 172.16.1.1:8080 172.16.1.2:8080*0\n" */
void expect_servers(const char *config, const char *objects, const char *expected);

/* The same for endpoints that have been draining for a while. Returns the plan's drained_ms. */
int64_t expect_servers_at(const char *config, const char *objects, const struct drains *drains,
                          const char *expected);

/* Compiles the text under that name into the set. */
void add_template(struct template_set *set, const char *name, const char *text);

/* templates/ipvs.conf and templates/virtual_server of this repository. */
void add_shipped_templates(struct template_set *set);
