/* A site for the targets that need one: a configuration, and the templates as delivered. */
#pragma once

#include "core/config.h"
#include "core/ipvs_config.h"
#include "core/model.h"

/* Made once, never freed. */
const struct config *site_config(void);
const struct template_set *site_templates(void);

/* Decodes objects; what is bad is left out. Returns the plan, to be freed by the caller. */
struct plan *site_plan(const char *objects, size_t length);
