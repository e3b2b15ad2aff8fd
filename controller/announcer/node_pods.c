#include "announcer/node_pods.h"

#include "announcer/node_lease.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

bool node_pods_is_alive(const struct node_pods *pods, const struct addr *pod)
{
        return addr_equal(pod, &pods->own4) || addr_equal(pod, &pods->own6) ||
               node_lease_held(pods->netns, pod);
}

static int64_t missing_since(const struct node_pods *pods, const struct addr *pod, int64_t now_ms)
{
        for (size_t i = 0; i < pods->n_missing; i++)
                if (addr_equal(&pods->missing[i].pod, pod))
                        return pods->missing[i].since_ms;
        return now_ms;
}

int node_pods_bury(struct node_pods *pods, struct node_table *table, int64_t now_ms)
{
        struct node_pod_missing *missing = calloc(table->n_hops + 1, sizeof(*missing));
        size_t n_missing = 0;
        int buried = 0, r = 0;

        if (!missing)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_hops && r == 0; i++) {
                const struct addr *pod = &table->hops[i].gateway;
                const int64_t since_ms = missing_since(pods, pod, now_ms);
                char text[ADDR_TEXT_SIZE];

                if (node_pods_is_alive(pods, pod))
                        continue;
                if (now_ms - since_ms < NODE_PODS_GRACE_MS) {
                        missing[n_missing++] = (struct node_pod_missing){*pod, since_ms};
                        continue;
                }
                r = node_table_remove(table, table->hops[i].id);
                if (r == 0)
                        log_info("node-pods", "removed what a dead pod has left",
                                 LOG_TEXT("pod", addr_format(pod, text)));
                buried++;
        }
        if (r < 0) {
                free(missing);
                return r;
        }
        free(pods->missing);
        pods->missing = missing;
        pods->n_missing = n_missing;
        return buried;
}

void node_pods_clear(struct node_pods *pods)
{
        free(pods->missing);
}
