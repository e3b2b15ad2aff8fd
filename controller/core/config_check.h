/* Whether the values of a configuration, each fine by itself, fit together. Part of config. */
#pragma once

#include "core/config.h"

/* 0; or -EINVAL with *key, the top-level key at fault, and error->what set; or -ENOMEM with *error set. */
int config_check(const struct config *config, const char **key, struct error *error);
