#include "core/leader.h"

#include "core/json_field.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void lease_clear(struct lease *lease)
{
        free(lease->holder);
        free(lease->resource_version);
        free(lease->acquire_time);
        json_decref(lease->metadata);
        *lease = (struct lease){0};
}

static int dup_or_empty(const json_t *object, const char *key, char **out, struct error *error)
{
        int r = json_field_dup(object, key, out, error);

        if (r == 0 && !*out) {
                *out = strdup("");
                r = *out ? 0 : error_oom(error);
        }
        return r;
}

int lease_decode(const json_t *json, struct lease *out, struct error *error)
{
        _cleanup_lease_ struct lease lease = {0};
        const json_t *metadata = NULL, *spec = NULL;
        int64_t duration_s = LEADER_LEASE_MS / 1000;
        int r;

        if (!json_is_object(json))
                return error_set(error, "Lease", "is no object");
        if ((r = json_field_object(json, "metadata", &metadata, error)) < 0 ||
            (r = json_field_object(json, "spec", &spec, error)) < 0 ||
            (r = dup_or_empty(metadata, "resourceVersion", &lease.resource_version, error)) < 0 ||
            (r = dup_or_empty(spec, "holderIdentity", &lease.holder, error)) < 0 ||
            (r = json_field_dup(spec, "acquireTime", &lease.acquire_time, error)) < 0 ||
            (r = json_field_integer(spec, "leaseDurationSeconds", 1, 86400, &duration_s, error)) < 0 ||
            (r = json_field_integer(spec, "leaseTransitions", 0, INT32_MAX, &lease.transitions, error)) < 0) {
                error_at(error, "Lease");
                return r;
        }
        lease.duration_ms = duration_s * 1000;
        lease.metadata = json_incref((json_t *)metadata);
        *out = lease;
        lease = (struct lease){0};
        return 0;
}

json_t *lease_encode(const char *name, const char *namespace, const char *identity,
                     const struct lease *before, const char *now)
{
        bool renews = identity && before && before->holder && strcmp(before->holder, identity) == 0;
        const char *acquired = renews && before->acquire_time ? before->acquire_time : now;
        int64_t transitions = before ? before->transitions + (renews || !identity ? 0 : 1) : 0;

        json_t *metadata = before ? json_incref(before->metadata)
                                  : json_pack("{s:s, s:s}", "name", name, "namespace", namespace);

        return json_pack("{s:s, s:s, s:o, s:{s:s, s:i, s:s, s:s, s:I}}", "apiVersion",
                         "coordination.k8s.io/v1", "kind", "Lease", "metadata", metadata, "spec",
                         "holderIdentity", identity ? identity : "", "leaseDurationSeconds",
                         identity ? LEADER_LEASE_MS / 1000 : 1, "acquireTime", acquired, "renewTime", now,
                         "leaseTransitions", (json_int_t)transitions);
}

int leader_saw(struct leader *leader, const struct lease *lease, int64_t now_ms)
{
        const char *version = lease ? lease->resource_version : "";

        if (!leader->seen_version || strcmp(leader->seen_version, version) != 0) {
                char *copy = strdup(version);

                if (!copy)
                        return -ENOMEM;
                free(leader->seen_version);
                leader->seen_version = copy;
                leader->seen_ms = now_ms;
        }
        if (!lease || !*lease->holder || strcmp(lease->holder, leader->identity) == 0)
                return LEADER_WRITE;
        leader_lost(leader);
        return now_ms - leader->seen_ms >= lease->duration_ms ? LEADER_WRITE : LEADER_WAIT;
}

void leader_wrote(struct leader *leader, int64_t sent_ms)
{
        leader->lead_until_ms = sent_ms + LEADER_RENEW_DEADLINE_MS;
}

void leader_lost(struct leader *leader)
{
        leader->lead_until_ms = 0;
}

bool leader_is_leading(const struct leader *leader, int64_t now_ms)
{
        return now_ms < leader->lead_until_ms;
}

void leader_clear(struct leader *leader)
{
        free(leader->seen_version);
        *leader = (struct leader){0};
}
