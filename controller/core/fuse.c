#include "core/fuse.h"

/* Of the servers of `vs` with a weight, those that have none in `other` (may be NULL). Both are sorted. */
static size_t count_removed(const struct virtual_server *vs, const struct virtual_server *other)
{
        size_t removed = 0, j = 0;

        for (size_t i = 0; i < vs->n_real_servers; i++) {
                const struct real_server *rs = &vs->real_servers[i];

                if (!rs->weight)
                        continue;
                while (other && j < other->n_real_servers &&
                       real_server_compare(&other->real_servers[j], rs) < 0)
                        j++;
                if (!other || j == other->n_real_servers ||
                    real_server_compare(&other->real_servers[j], rs) != 0 || !other->real_servers[j].weight)
                        removed++;
        }
        return removed;
}

static struct fuse_count count_plans(const struct plan *held, const struct plan *wanted)
{
        struct fuse_count count = {0};

        for (size_t i = 0; held && i < held->n_virtual_servers; i++) {
                const struct virtual_server *vs = &held->virtual_servers[i];

                for (size_t j = 0; j < vs->n_real_servers; j++)
                        count.total += vs->real_servers[j].weight > 0;
                count.removed += count_removed(vs, plan_find(wanted, &vs->vip, vs->protocol, vs->port));
        }
        return count;
}

enum fuse_verdict fuse_judge(struct fuse *fuse, const struct fuse_input *input, struct fuse_count *count)
{
        struct fuse_count seen = count_plans(input->held, input->wanted);
        bool too_much = input->max_percent && seen.removed * 100 > seen.total * input->max_percent;
        bool was_blown = fuse->blown;

        if (count)
                *count = seen;
        if (!too_much) {
                fuse->blown = false;
                return was_blown ? FUSE_MENDED : FUSE_PASS;
        }
        if (!was_blown) {
                fuse->blown = true;
                fuse->blown_ms = input->now_ms;
                fuse->trips++;
                return FUSE_BLOWS;
        }
        if (input->now_ms - fuse->blown_ms < input->hold_ms)
                return FUSE_HOLDS;
        fuse->blown = false;
        return FUSE_EXPIRED;
}
