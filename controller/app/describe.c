#include "app/describe.h"

#include "core/view.h"

#include <stdio.h>
#include <string.h>

static json_t *describe_addr(const struct addr *addr)
{
        char text[ADDR_TEXT_SIZE];

        return json_string(addr_format(addr, text));
}

static json_t *describe_vip(const struct describe_input *input, size_t i)
{
        const struct plan_vip *vip = &input->plan->vips[i];
        struct ipvs_vip_state state = input->states ? input->states[i] : (struct ipvs_vip_state){0};
        enum route_state route = i < input->routes->count ? input->routes->routes[i].state : ROUTE_UNSYNCED;

        return json_pack("{s:o, s:s, s:s, s:i, s:i, s:i, s:i}", "address", describe_addr(&vip->addr),
                         "service", input->plan->services[vip->service].name, "route",
                         route_state_name(route), "up", (int)state.up, "draining", (int)state.draining,
                         "down", (int)state.down, "connections", (int)state.active);
}

/* One real server of the plan with what the kernel says of it; `real` is NULL if it is not there. */
static json_t *describe_real(const struct real_server *rs, const struct ipvs_real *real)
{
        const char *state = !real ? "down" : real->weight ? "up" : "draining";

        return json_pack("{s:o, s:i, s:s, s:i, s:i}", "address", describe_addr(&rs->addr), "port",
                         (int)rs->port, "state", state, "active", real ? (int)real->active : 0, "inactive",
                         real ? (int)real->inactive : 0);
}

static json_t *describe_virtual(const struct describe_input *input, const struct virtual_server *vs)
{
        const struct ipvs_virtual *virtual = input->table ? ipvs_table_find(input->table, vs) : NULL;
        json_t *reals = json_array();
        size_t j = 0;

        for (size_t i = 0; i < vs->n_real_servers; i++) {
                const struct real_server *rs = &vs->real_servers[i];
                const struct ipvs_real *real = NULL;

                for (; virtual && j < virtual->n_reals; j++) {
                        struct real_server key = {.addr = virtual->reals[j].addr,
                                                  .port = virtual->reals[j].port};
                        int order = real_server_compare(&key, rs);

                        if (order == 0)
                                real = &virtual->reals[j];
                        if (order >= 0)
                                break;
                }
                (void)json_array_append_new(reals, describe_real(rs, real));
        }
        return json_pack("{s:o, s:i, s:s, s:s, s:s, s:s, s:o}", "address", describe_addr(&vs->vip), "port",
                         (int)vs->port, "protocol", protocol_name(vs->protocol), "service",
                         input->plan->services[vs->service].name, "scheduler", vs->scheduler, "forwarding",
                         forwarding_name(vs->forwarding), "real_servers", reals);
}

static json_t *describe_announcer(const struct announce_report *report)
{
        json_t *announced = json_array();

        for (size_t i = 0; report && i < report->announced.count; i++) {
                char text[PREFIX_TEXT_SIZE];

                (void)json_array_append_new(announced,
                                            json_string(prefix_format(&report->announced.prefixes[i], text)));
        }
        return json_pack("{s:b, s:i, s:i, s:o}", "connected", report != NULL, "neighbors_up",
                         report ? (int)report->neighbors_up : 0, "neighbors",
                         report ? (int)report->neighbors : 0, "announced", announced);
}

json_t *describe(const struct describe_input *input)
{
        json_t *vips = json_array(), *virtuals = json_array(), *problems = json_array();

        for (size_t i = 0; input->plan && i < input->plan->n_vips; i++)
                (void)json_array_append_new(vips, describe_vip(input, i));
        for (size_t i = 0; input->plan && i < input->plan->n_virtual_servers; i++)
                (void)json_array_append_new(virtuals,
                                            describe_virtual(input, &input->plan->virtual_servers[i]));
        for (size_t i = 0; input->plan && i < input->plan->n_problems; i++) {
                const struct problem *problem = &input->plan->problems[i];

                (void)json_array_append_new(problems, json_pack("{s:s, s:s, s:s}", "service",
                                                                problem->service, "reason", problem->reason,
                                                                "message", problem->message));
        }
        return json_pack("{s:s, s:b, s:b, s:b, s:b, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "version",
                         CORACLE_VERSION, "synced", input->synced, "table_readable", input->table != NULL,
                         "keepalived_up", input->keepalived_up, "settling", input->settling, "leaving",
                         leave_phase_name(input->leaving), "table_differences", (int)input->differences,
                         "apply_failures", (int)input->apply_failures, "announcer",
                         describe_announcer(input->report), "vips", vips, "virtual_servers", virtuals,
                         "problems", problems);
}

/* ---- for people ---- */

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "?";
}

static long long number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
        return json_is_true(json_object_get(object, key));
}

static const char *table_verdict(const json_t *status)
{
        if (!is_true(status, "table_readable"))
                return "CANNOT BE READ: is the module ip_vs loaded on this node?";
        if (number_of(status, "table_differences") == 0)
                return "as planned";
        return is_true(status, "settling") ? "settling" : "DIFFERS";
}

static void print_summary(const json_t *status)
{
        const json_t *announcer = json_object_get(status, "announcer");
        const char *leaving = text_of(status, "leaving");
        bool stays = strcmp(leaving, leave_phase_name(LEAVE_STAYING)) == 0;

        printf("coracle %s: %s, keepalived %s, kernel table %s%s%s\n", text_of(status, "version"),
               is_true(status, "synced") ? "synced" : "not synced yet",
               is_true(status, "keepalived_up") ? "up" : "DOWN", table_verdict(status),
               stays ? "" : ", leaving: ", stays ? "" : leaving);
        if (!is_true(announcer, "connected"))
                printf("announcer: not connected\n");
        else
                printf("announcer: connected, %lld of %lld BGP sessions up, %zu routes announced\n",
                       number_of(announcer, "neighbors_up"), number_of(announcer, "neighbors"),
                       json_array_size(json_object_get(announcer, "announced")));
}

static void print_vips(const json_t *vips)
{
        size_t i;
        json_t *vip;

        if (!json_array_size(vips))
                return;
        printf("\n%-28s %-16s %4s %8s %5s %6s  %s\n", "VIP", "ROUTE", "UP", "DRAINING", "DOWN", "CONNS",
               "SERVICE");
        json_array_foreach ((json_t *)vips, i, vip)
                printf("%-28s %-16s %4lld %8lld %5lld %6lld  %s\n", text_of(vip, "address"),
                       text_of(vip, "route"), number_of(vip, "up"), number_of(vip, "draining"),
                       number_of(vip, "down"), number_of(vip, "connections"), text_of(vip, "service"));
}

static void print_virtual_server(const json_t *vs)
{
        size_t i;
        json_t *rs;

        printf("\n%s [%s]:%lld  %s  %s %s\n", text_of(vs, "protocol"), text_of(vs, "address"),
               number_of(vs, "port"), text_of(vs, "service"), text_of(vs, "scheduler"),
               text_of(vs, "forwarding"));
        json_array_foreach (json_object_get(vs, "real_servers"), i, rs)
                printf("  -> [%s]:%lld  %-8s  active %lld  inactive %lld\n", text_of(rs, "address"),
                       number_of(rs, "port"), text_of(rs, "state"), number_of(rs, "active"),
                       number_of(rs, "inactive"));
}

void describe_print(const json_t *status)
{
        size_t i;
        json_t *item;

        print_summary(status);
        print_vips(json_object_get(status, "vips"));
        json_array_foreach (json_object_get(status, "virtual_servers"), i, item)
                print_virtual_server(item);
        if (json_array_size(json_object_get(status, "problems")))
                printf("\n");
        json_array_foreach (json_object_get(status, "problems"), i, item)
                printf("Service %s: %s: %s\n", text_of(item, "service"), text_of(item, "reason"),
                       text_of(item, "message"));
}
