#include "io/objects_dir.h"

#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* A directory, a source on it and what the listener was told last. */
struct site {
        struct ev_loop *loop;
        struct objects_dir *source;
        char directory[64];
        struct model told;
        struct model bad;
        unsigned int tells;
        bool waiting;
};

static void listener_replace(void *userdata, enum kube_kind kind, struct object_list *list,
                             const struct object_list *bad)
{
        struct site *site = userdata;
        struct object_list *known = model_list(&site->told, kind), *names = model_list(&site->bad, kind);

        object_list_clear(known, kube_kind_unref(kind));
        *known = *list;
        *list = (struct object_list){0};
        object_list_clear(names, kube_kind_unref(kind));
        for (size_t i = 0; i < bad->count; i++) {
                bad->objects[i]->references++;
                assert_int_equal(object_list_append(names, bad->objects[i]), 0);
        }
        if (kind == KUBE_KIND_COUNT - 1) {
                site->tells++;
                if (site->waiting)
                        ev_break(site->loop, EVBREAK_ALL);
        }
}

static void write_file(const struct site *site, const char *name, const char *text)
{
        char path[PATH_MAX];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", site->directory, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void write_service(const struct site *site, const char *file, const char *name, const char *port)
{
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: %s}]}\n",
                       name, port);
        write_file(site, file, text);
}

static int make_site(void **state)
{
        static const struct source_listener template = {.replace = listener_replace};
        struct source_listener listener = template;
        struct objects_dir_options options;
        struct site *site = calloc(1, sizeof(*site));
        struct error error;

        assert_non_null(site);
        log_setup(LOG_LEVEL_ERROR, false);
        (void)snprintf(site->directory, sizeof(site->directory), "/tmp/coracle-test-XXXXXX");
        assert_non_null(mkdtemp(site->directory));
        site->loop = ev_loop_new(EVFLAG_AUTO);
        assert_non_null(site->loop);
        options = (struct objects_dir_options){.directory = site->directory, .quiet_ms = 20, .look_s = 1};
        listener.userdata = site;
        assert_int_equal(objects_dir_new(site->loop, &options, &listener, &site->source, &error), 0);
        *state = site;
        return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
        (void)status;
        (void)type;
        (void)walk;
        return remove(path);
}

static int drop_site(void **state)
{
        struct site *site = *state;

        objects_dir_free(site->source);
        ev_loop_destroy(site->loop);
        model_clear(&site->told);
        model_clear(&site->bad);
        (void)nftw(site->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(site);
        return 0;
}

static void start(struct site *site)
{
        struct error error;

        if (objects_dir_start(site->source, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)timer;
        (void)revents;
        ev_break(loop, EVBREAK_ALL);
}

/* Runs the loop until the listener is told something, at most so long. Returns whether it was. */
static bool run(struct site *site, double seconds)
{
        unsigned int before = site->tells;
        ev_timer timeout;

        ev_now_update(site->loop);
        ev_timer_init(&timeout, on_timeout, seconds, 0);
        ev_timer_start(site->loop, &timeout);
        site->waiting = true;
        (void)ev_run(site->loop, 0);
        site->waiting = false;
        ev_timer_stop(site->loop, &timeout);
        return site->tells > before;
}

static int port_of(const struct site *site, const char *name)
{
        struct service *service = object_service(object_list_find(&site->told.services, "default", name));

        return service ? service->ports[0].port : -1;
}

static void first_state_is_told_at_once_and_complete(void **state)
{
        struct site *site = *state;

        write_service(site, "a.yaml", "web", "80");
        write_file(site, "b.json",
                   "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
                   "\"metadata\":{\"name\":\"web-1\"},\"addressType\":\"IPv4\"}");
        write_service(site, "c.yml", "dns", "53");
        write_service(site, "notes.txt", "no", "1");
        write_service(site, ".hidden.yaml", "no", "1");
        start(site);
        assert_int_equal(site->tells, 1);
        assert_int_equal(site->told.services.count, 2);
        assert_int_equal(site->told.endpoint_slices.count, 1);
        assert_int_equal(port_of(site, "web"), 80);
}

static void empty_directory_is_a_complete_state_too(void **state)
{
        struct site *site = *state;

        start(site);
        assert_int_equal(site->tells, 1);
}

static void directory_that_cannot_be_read_at_start_is_an_error(void **state)
{
        struct site *site = *state;
        struct error error;

        assert_int_equal(rmdir(site->directory), 0);
        assert_int_equal(objects_dir_start(site->source, &error), -ENOENT);
        assert_string_equal(error.where, site->directory);
        assert_int_equal(site->tells, 0);
}

static void changed_added_and_removed_files_are_followed(void **state)
{
        struct site *site = *state;
        char path[PATH_MAX];

        write_service(site, "a.yaml", "web", "80");
        start(site);
        write_service(site, "a.yaml", "web", "81");
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), 81);
        write_service(site, "b.yaml", "dns", "53");
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "dns"), 53);
        (void)snprintf(path, sizeof(path), "%s/a.yaml", site->directory);
        assert_int_equal(unlink(path), 0);
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), -1);
        assert_int_equal(port_of(site, "dns"), 53);
}

static void renamed_file_replaces_the_old_one_in_one_step(void **state)
{
        struct site *site = *state;
        char from[PATH_MAX], to[PATH_MAX];

        write_service(site, "a.yaml", "web", "80");
        start(site);
        write_service(site, "a.new", "web", "82");
        (void)snprintf(from, sizeof(from), "%s/a.new", site->directory);
        (void)snprintf(to, sizeof(to), "%s/a.yaml", site->directory);
        assert_int_equal(rename(from, to), 0);
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), 82);
        assert_int_equal(site->tells, 2);
}

static void untouched_files_are_not_told_again(void **state)
{
        struct site *site = *state;

        write_service(site, "a.yaml", "web", "80");
        start(site);
        assert_false(run(site, 1.3)); /* the slow timer fires once */
        assert_int_equal(site->tells, 1);
}

static void file_that_does_not_parse_keeps_its_last_good_objects(void **state)
{
        struct site *site = *state;

        write_service(site, "a.yaml", "web", "80");
        write_service(site, "b.yaml", "dns", "53");
        start(site);
        log_setup(LOG_LEVEL_ERROR, false);
        write_file(site, "a.yaml", "apiVersion: v1\nkind: [\n");
        write_service(site, "b.yaml", "dns", "54");
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), 80);
        assert_int_equal(port_of(site, "dns"), 54);
        write_service(site, "a.yaml", "web", "83");
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), 83);
}

static void bad_object_is_told_by_name_beside_the_good_ones(void **state)
{
        struct site *site = *state;

        write_file(site, "a.yaml",
                   "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: 80}\n---\n"
                   "apiVersion: v1\nkind: Service\nmetadata: {name: dns}\nspec: {ports: [{port: 53}]}\n");
        start(site);
        assert_int_equal(site->told.services.count, 1);
        assert_int_equal(port_of(site, "dns"), 53);
        assert_int_equal(site->bad.services.count, 1);
        assert_non_null(object_list_find(&site->bad.services, "default", "web"));
}

static void object_in_two_files_is_the_later_files(void **state)
{
        struct site *site = *state;

        write_service(site, "a.yaml", "web", "80");
        write_service(site, "b.yaml", "web", "81");
        write_service(site, "c.yaml", "web", "'bad'");
        start(site);
        assert_int_equal(site->told.services.count, 1);
        assert_int_equal(port_of(site, "web"), 81);
        assert_int_equal(site->bad.services.count, 0);
}

/* As the kubelet lays out a ConfigMap: FILE -> ..data/FILE, ..data -> ..TIMESTAMP, swapped by rename. */
static void mounted_config_map_is_followed_over_its_swap(void **state)
{
        struct site *site = *state;
        char path[PATH_MAX], link[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/..1", site->directory);
        assert_int_equal(mkdir(path, 0755), 0);
        write_service(site, "..1/web.yaml", "web", "80");
        (void)snprintf(path, sizeof(path), "%s/..data", site->directory);
        assert_int_equal(symlink("..1", path), 0);
        (void)snprintf(link, sizeof(link), "%s/web.yaml", site->directory);
        assert_int_equal(symlink("..data/web.yaml", link), 0);
        start(site);
        assert_int_equal(port_of(site, "web"), 80);

        (void)snprintf(path, sizeof(path), "%s/..2", site->directory);
        assert_int_equal(mkdir(path, 0755), 0);
        write_service(site, "..2/web.yaml", "web", "81");
        (void)snprintf(path, sizeof(path), "%s/..data_tmp", site->directory);
        assert_int_equal(symlink("..2", path), 0);
        (void)snprintf(link, sizeof(link), "%s/..data", site->directory);
        assert_int_equal(rename(path, link), 0);
        assert_true(run(site, 5));
        assert_int_equal(port_of(site, "web"), 81);
        assert_int_equal(site->tells, 2);
}

static void directory_that_vanishes_keeps_the_state_and_comes_back(void **state)
{
        struct site *site = *state;
        char away[80];

        write_service(site, "a.yaml", "web", "80");
        start(site);
        (void)snprintf(away, sizeof(away), "%s.away", site->directory);
        assert_int_equal(rename(site->directory, away), 0);
        assert_false(run(site, 0.3));
        assert_int_equal(port_of(site, "web"), 80);
        assert_int_equal(rename(away, site->directory), 0);
        write_service(site, "a.yaml", "web", "84");
        assert_true(run(site, 5)); /* by the slow timer, which watches again */
        assert_int_equal(port_of(site, "web"), 84);
        write_service(site, "a.yaml", "web", "85");
        assert_true(run(site, 0.9));
        assert_int_equal(port_of(site, "web"), 85);
}

#define site_test(f) cmocka_unit_test_setup_teardown(f, make_site, drop_site)

int main(void)
{
        const struct CMUnitTest tests[] = {
            site_test(first_state_is_told_at_once_and_complete),
            site_test(empty_directory_is_a_complete_state_too),
            site_test(directory_that_cannot_be_read_at_start_is_an_error),
            site_test(changed_added_and_removed_files_are_followed),
            site_test(renamed_file_replaces_the_old_one_in_one_step),
            site_test(untouched_files_are_not_told_again),
            site_test(file_that_does_not_parse_keeps_its_last_good_objects),
            site_test(bad_object_is_told_by_name_beside_the_good_ones),
            site_test(object_in_two_files_is_the_later_files),
            site_test(mounted_config_map_is_followed_over_its_swap),
            site_test(directory_that_vanishes_keeps_the_state_and_comes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
