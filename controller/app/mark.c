#include "app/mark.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>

#define MAX_PROBES 64

/* ---- asking */

bool mark_asker_is_busy(const struct mark_asker *asker)
{
        return asker->n_probes >= MAX_PROBES;
}

void mark_ask_later(struct mark *mark)
{
        mark->answered = false;
        mark->ask_ms = clock_monotonic_ms() + MARK_ASK_AGAIN_MS;
}

static void on_answer(void *userdata, bool answers)
{
        struct mark *mark = userdata;

        mark->probe = NULL;
        mark->asker->n_probes--;
        if (answers)
                mark->answered = true;
        else
                mark_ask_later(mark);
        mark->asker->answered(mark->asker->userdata, mark);
}

bool mark_ask(struct mark *mark, uint32_t timeout_ms)
{
        mark->probe = tcp_probe_start(mark->asker->loop, &mark->addr, mark->port, (double)timeout_ms / 1000,
                                      on_answer, mark);
        if (mark->probe)
                mark->asker->n_probes++;
        else
                mark_ask_later(mark);
        return mark->probe != NULL;
}

void mark_cancel_probe(struct mark *mark)
{
        mark->asker->n_probes -= mark->probe != NULL;
        tcp_probe_cancel(mark->probe);
        mark->probe = NULL;
}

/* ---- the kernel */

static void note_done(const char *what, const struct mark *mark)
{
        char vip[ADDR_TEXT_SIZE], addr[ADDR_TEXT_SIZE];

        log_info("ahead", what, LOG_TEXT("vip", addr_format(&mark->key.vip, vip)),
                 LOG_INT("port", mark->key.port), LOG_TEXT("real_server", addr_format(&mark->addr, addr)),
                 LOG_INT("real_port", mark->port));
}

/* 0, also if it is not there any more: then keepalived has taken it out. */
static int set_weight(const struct mark *mark, struct ipvs_netlink *ipvs, const struct ipvs_dest *dest,
                      uint8_t weight)
{
        int r = ipvs_netlink_change(ipvs, &mark->key, IPVS_CMD_SET_DEST, dest, weight);

        return r == -ENOENT ? 0 : r;
}

static int put_in(const struct mark *mark, struct ipvs_netlink *ipvs, enum forwarding forwarding,
                  uint8_t weight)
{
        return ipvs_netlink_add(
            ipvs, &mark->key,
            &(struct ipvs_real){
                .addr = mark->addr, .port = mark->port, .forwarding = forwarding, .weight = weight});
}

int mark_take_out(const struct mark *mark, struct ipvs_netlink *ipvs)
{
        return ipvs_netlink_remove(ipvs, &mark->key,
                                   &(struct ipvs_real){.addr = mark->addr, .port = mark->port});
}

int mark_rest(struct mark *mark, struct ipvs_netlink *ipvs, const struct ipvs_dest *dest)
{
        int r = set_weight(mark, ipvs, dest, 0);

        /* One that was added ahead may be unknown to keepalived: it is not forgotten as such. */
        if (mark->state != MARK_ADDED)
                mark->state = MARK_RESTED;
        mark->gone = mark->answered = false;
        mark->forget_ms = 0;
        if (r == 0)
                note_done("gets no new connections", mark);
        return r;
}

int mark_come(struct mark *mark, struct ipvs_netlink *ipvs, const struct ipvs_dest *dest,
              enum forwarding forwarding, uint8_t weight)
{
        int r = 0;

        if (dest)
                r = set_weight(mark, ipvs, dest, weight);
        else if (mark->state == MARK_FRESH)
                r = put_in(mark, ipvs, forwarding, weight);
        if (r < 0)
                return r;
        note_done("gets connections", mark);
        mark->answered = false;
        if (mark->state == MARK_FRESH)
                mark->state = MARK_ADDED;
        else
                mark->gone = true; /* what has only rested keepalived knows */
        return 0;
}

/* ---- keepalived's word */

int mark_believe_down(struct mark *mark, bool inhibited, struct ipvs_counts *counts)
{
        struct ipvs_netlink ipvs;
        int r = 0;

        mark_cancel_probe(mark);
        if (mark->state == MARK_ADDED && !inhibited) {
                r = ipvs_netlink_open(&ipvs, counts);
                if (r == 0) {
                        r = mark_take_out(mark, &ipvs);
                        ipvs_netlink_close(&ipvs);
                }
        }
        mark->state = MARK_REFUSED;
        return r;
}

int mark_believe_up(struct mark *mark, enum forwarding forwarding, uint8_t weight, struct ipvs_counts *counts)
{
        struct ipvs_netlink ipvs;
        int r = 0;

        if (mark->state == MARK_REFUSED && weight) {
                r = ipvs_netlink_open(&ipvs, counts);
                if (r == 0) {
                        r = put_in(mark, &ipvs, forwarding, weight);
                        ipvs_netlink_close(&ipvs);
                }
        }
        mark->gone = true;
        return r;
}
