#include "core/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOTE_MAX 1000 /* the API takes 1 kB */

/* FNV-1a: well spread, and nobody gains by a collision but a lost Event of his own Service. */
static uint64_t hash(uint64_t sum, const char *text)
{
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                sum = (sum ^ *c) * UINT64_C(1099511628211);
        return (sum ^ 0xff) * UINT64_C(1099511628211); /* "ab","c" is not "a","bc" */
}

void event_name(const struct problem *problem, const struct service *service,
                char out[static EVENT_NAME_SIZE])
{
        uint64_t sum = UINT64_C(14695981039346656037);

        sum = hash(hash(hash(sum, problem->service), problem->reason), problem->message);
        sum = hash(sum, service->uid ? service->uid : "");
        (void)snprintf(out, EVENT_NAME_SIZE, "%.200s.%016" PRIx64, service->object.name, sum);
}

json_t *event_create(const struct problem *problem, const struct service *service, const char *instance,
                     const char *now)
{
        char name[EVENT_NAME_SIZE], note[NOTE_MAX + 1];

        event_name(problem, service, name);
        (void)snprintf(note, sizeof(note), "%s", problem->message);
        return json_pack(
            "{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s*}}",
            "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "name", name, "namespace",
            service->object.namespace, "eventTime", now, "reportingController", "coracle.lb/controller",
            "reportingInstance", instance, "type", "Warning", "reason", problem->reason, "action", "Plan",
            "note", note, "regarding", "apiVersion", "v1", "kind", "Service", "namespace",
            service->object.namespace, "name", service->object.name, "uid", service->uid);
}

json_t *event_series(unsigned int count, const char *now)
{
        return json_pack("{s:{s:i, s:s}}", "series", "count", (int)count, "lastObservedTime", now);
}
