/* coracle-resilient's command line. */
#pragma once

#include "base/error.h"
#include "base/log.h"
#include "resilient/decode.h"
#include "resilient/mirror_plan.h"

enum {
        OPTIONS_DONE = 1, /* --help or --version has been answered */
};

struct options {
        struct scope scope;
        struct mirror_config plan; /* its pools are those of the scope, which owns them */
        enum log_level log_level;
        bool log_json;
};

/* 0 and *out, to be cleared; OPTIONS_DONE; or a negative errno with *error set. */
int options_parse(int argc, char **argv, struct options *out, struct error *error);

void options_clear(struct options *options);
