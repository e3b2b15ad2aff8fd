#include "core/ahead.h"

#include <string.h>

bool ahead_may_add(const struct plan *plan, const struct virtual_server *vs)
{
        const struct plan_service *service = &plan->services[vs->service];

        return !vs->checked || (service->health_check.type == HEALTH_CHECK_TCP && !service->template);
}

bool ahead_is_comparable(const struct virtual_server *before, const struct virtual_server *after)
{
        return before->forwarding == after->forwarding && before->checked == after->checked &&
               strcmp(before->scheduler, after->scheduler) == 0;
}

bool ahead_reals_differ(const struct virtual_server *before, const struct virtual_server *after)
{
        if (before->n_real_servers != after->n_real_servers)
                return true;
        for (size_t i = 0; i < after->n_real_servers; i++)
                if (real_server_compare(&before->real_servers[i], &after->real_servers[i]) != 0 ||
                    before->real_servers[i].weight != after->real_servers[i].weight)
                        return true;
        return false;
}

static int order_of(const struct ahead_input *input, size_t i, size_t j)
{
        const struct real_server *rs = &input->wanted->real_servers[j];
        int order;

        if (i == input->n_reals)
                return 1;
        if (j == input->wanted->n_real_servers)
                return -1;
        order = addr_compare(&input->reals[i].addr, &rs->addr);
        return order ? order : (int)input->reals[i].port - (int)rs->port;
}

static struct ahead_step come(const struct real_server *rs)
{
        return (struct ahead_step){AHEAD_COME, rs->addr, rs->port, rs->weight};
}

size_t ahead_steps(const struct ahead_input *input, struct ahead_step *steps)
{
        size_t i = 0, j = 0, count = 0, kept = 0, left = 0;
        bool somebody = false;

        while (i < input->n_reals || j < input->wanted->n_real_servers) {
                const int order = order_of(input, i, j);
                const struct ipvs_real *real = order <= 0 ? &input->reals[i] : NULL;
                const struct real_server *rs = order >= 0 ? &input->wanted->real_servers[j] : NULL;
                const bool wanted = rs && rs->weight;

                somebody |= wanted;
                left += wanted && real && real->weight;
                if (real && real->weight && !wanted)
                        steps[count++] = (struct ahead_step){AHEAD_REST, real->addr, real->port, 0};
                else if (wanted && (real ? !real->weight && input->rested[i] : input->fresh[j]))
                        steps[count++] = come(rs);
                i += real != NULL;
                j += rs != NULL;
        }
        if (left || !somebody)
                return count;
        for (size_t k = 0; k < count; k++)
                if (steps[k].act != AHEAD_REST)
                        steps[kept++] = steps[k];
        return kept;
}
