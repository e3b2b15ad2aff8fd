#include "io/ipvs_order.h"

#include "base/cleanup.h"
#include "io/ipvs_netlink.h"

#include <errno.h>

struct conversation {
        struct ipvs_netlink ipvs;
        const struct ipvs_virtual *virtual;
        struct ipvs_dests dests; /* what there is */
};

static void hang_up(struct conversation *talk)
{
        ipvs_netlink_close(&talk->ipvs);
        ipvs_dests_clear(&talk->dests);
}

static int call(struct conversation *talk, const struct ipvs_virtual *virtual, struct ipvs_counts *counts)
{
        int r;

        *talk = (struct conversation){.virtual = virtual};
        r = ipvs_netlink_open(&talk->ipvs, counts);
        if (r == 0)
                r = ipvs_netlink_read_dests(&talk->ipvs, virtual, &talk->dests);
        if (r < 0)
                hang_up(talk);
        return r;
}

static int change(struct conversation *talk, uint8_t command, const struct ipvs_dest *dest, uint32_t weight)
{
        return ipvs_netlink_change(&talk->ipvs, talk->virtual, command, dest, weight);
}

/* Each step waits for the one before: what keepalived has removed meanwhile must not come back. If it has
 * added it between our two steps, as it does while it reads a configuration that coracle was ahead of, it
 * stands where it should. */
static int move(struct conversation *talk, const struct ipvs_dest *dest)
{
        const uint32_t weight = dest->real.weight;
        int r = change(talk, IPVS_CMD_DEL_DEST, dest, weight);

        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = change(talk, IPVS_CMD_NEW_DEST, dest, weight ? weight : 1);
        if (r == -EEXIST)
                r = 0;
        if (r == 0 && !weight)
                r = change(talk, IPVS_CMD_SET_DEST, dest, 0);
        return r;
}

int ipvs_order_move(const struct ipvs_virtual *virtual, size_t first, size_t count,
                    struct ipvs_counts *counts)
{
        struct conversation talk;
        int r = call(&talk, virtual, counts), moved = 0;

        if (r < 0)
                return r;
        for (size_t i = first; i < virtual->n_reals && i - first < count && r == 0; i++) {
                const struct ipvs_real *real = &virtual->reals[i];
                const struct ipvs_dest *dest = ipvs_dests_find(&talk.dests, &real->addr, real->port);

                if (!dest)
                        continue; /* gone since the table was read */
                r = move(&talk, dest);
                moved += r == 0;
        }
        hang_up(&talk);
        return r < 0 ? r : moved;
}

int ipvs_order_teach(const struct ipvs_virtual *virtual, struct ipvs_counts *counts)
{
        struct conversation talk;
        int r = call(&talk, virtual, counts);

        if (r < 0)
                return r;
        for (size_t i = 0; i < talk.dests.count && r == 0; i++) {
                const struct ipvs_dest *dest = &talk.dests.dests[i];

                if (dest->real.weight)
                        continue;
                r = change(&talk, IPVS_CMD_SET_DEST, dest, 1);
                if (r == 0)
                        r = change(&talk, IPVS_CMD_SET_DEST, dest, 0);
        }
        hang_up(&talk);
        return r;
}
