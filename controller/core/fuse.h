/* Holds back a plan that takes too much away at once: for the day when the API says that all endpoints are
 * gone, and it is not true. Off unless the operator sets maxRemovalPercent.
 *
 * Counted are the real servers that take new connections (weight > 0), per virtual server. Those of the last
 * plan that has passed that do not take any in the wanted one, because they, their service or their address
 * are gone or drain, are taken away; if they are more than max_percent of all, the fuse blows: the former
 * plan stays, as a whole, so that nothing is half true. keepalived's health checks go on, and withdraw what
 * is really dead.
 *
 * It is mended by itself as soon as the wanted plan takes less away, whether the objects came back or what is
 * wanted was built up again; or when it has been blown for hold_ms: then it was true, and the wanted plan
 * passes.
 *
 * The share is one of the whole, so that a small service may vanish at any time; with a handful of servers in
 * all, each of them is a big share, and the percentage should be big as well.
 */
#pragma once

#include "core/plan.h"

struct fuse {
        bool blown;
        int64_t blown_ms; /* since when */
        uint64_t trips;   /* for metrics */
};

struct fuse_input {
        const struct plan *held; /* the last one that has passed; NULL: none yet */
        const struct plan *wanted;
        uint32_t max_percent; /* 0: off */
        int64_t hold_ms;
        int64_t now_ms; /* monotonic */
};

enum fuse_verdict {
        FUSE_PASS,
        FUSE_BLOWS,   /* hold the plan back, from now on */
        FUSE_HOLDS,   /* still */
        FUSE_MENDED,  /* pass: too much is not taken away any more */
        FUSE_EXPIRED, /* pass: it has lasted */
};

struct fuse_count {
        size_t removed, total;
};

/* Decides on the wanted plan. *count (may be NULL) receives what was counted. While it is blown, ask again
 * when anything changes, and at blown_ms + hold_ms. */
enum fuse_verdict fuse_judge(struct fuse *fuse, const struct fuse_input *input, struct fuse_count *count);
