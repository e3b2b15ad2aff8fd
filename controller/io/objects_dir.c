#include "io/objects_dir.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/objects_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

#define MODULE "objects_dir"
#define QUIET_DEFAULT_MS 50
#define LOOK_DEFAULT_S 30
#define GONE_LOOK_S 1       /* while there is no directory, and so nothing to watch */
#define QUIET_ROUNDS_MAX 10 /* a directory that is never quiet is read all the same */

struct objects_dir {
        struct ev_loop *loop;
        struct source_listener listener;
        char *path;
        double quiet_s, look_s;
        int inotify;
        int watch; /* -1: none */
        ev_io events;
        ev_timer quiet;
        ev_timer look;
        int64_t noisy_since_ms;     /* monotonic, of the first event not yet acted upon; 0: none */
        bool told;                  /* the listener has heard of a first complete state */
        bool unreadable;            /* and that has been logged */
        struct objects_file *files; /* sorted by name */
        size_t n_files;
};

/* ---- telling the listener ---- */

/* Collects one kind of all files' `model`, or of their `bad` what is not in `good`. Of an object in two
 * files, the later file's counts. */
static int collect(const struct objects_dir *dir, enum kube_kind kind, const struct object_list *good,
                   struct object_list *out)
{
        for (size_t i = 0; i < dir->n_files; i++) {
                struct objects_file *file = &dir->files[i];
                const struct object_list *list = model_list(good ? &file->bad : &file->model, kind);

                for (size_t k = 0; k < list->count; k++) {
                        struct object *object = list->objects[k];

                        if (good && object_list_find(good, object->namespace, object->name))
                                continue;
                        if (object_list_append(out, object) < 0)
                                return -ENOMEM;
                        object->references++;
                }
        }
        object_list_sort(out, kube_kind_unref(kind));
        return 0;
}

static void tell(struct objects_dir *dir)
{
        dir->told = true;
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                struct object_list list = {0}, bad = {0};

                if (collect(dir, kind, NULL, &list) < 0 || collect(dir, kind, &list, &bad) < 0) {
                        log_error(MODULE, "out of memory; the last state stays");
                        dir->told = false; /* again at the next look */
                } else {
                        dir->listener.replace(dir->listener.userdata, kind, &list, &bad);
                }
                object_list_clear(&list, kube_kind_unref(kind));
                object_list_clear(&bad, kube_kind_unref(kind));
        }
}

/* ---- reading ---- */

static bool is_wanted(const char *name)
{
        const char *dot = strrchr(name, '.');

        return name[0] != '.' && dot &&
               (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int filter_entry(const struct dirent *entry)
{
        return is_wanted(entry->d_name);
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count)
{
        for (int i = 0; i < count; i++)
                free(entries[i]);
        free(entries);
}

/* Whether somebody wrote to the file a moment ago and may go on. A time in the future is a clock's fault. */
static bool is_unsettled(const struct objects_dir *dir, const struct stat *status)
{
        int64_t written_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
        int64_t age_ms = clock_unix_ms() - written_ms;

        return age_ms >= 0 && (double)age_ms / 1000 < dir->quiet_s;
}

static void schedule_scan(struct objects_dir *dir)
{
        int64_t now_ms = clock_monotonic_ms();

        if (dir->noisy_since_ms == 0)
                dir->noisy_since_ms = now_ms;
        else if (ev_is_active(&dir->quiet) &&
                 (double)(now_ms - dir->noisy_since_ms) / 1000 > QUIET_ROUNDS_MAX * dir->quiet_s)
                return;
        ev_timer_again(dir->loop, &dir->quiet);
}

/* Brings one file up to date. Returns whether what it holds has changed. */
static bool refresh_file(struct objects_dir *dir, struct objects_file *file, const char *path,
                         const struct stat *status)
{
        struct file_identity identity = file_identity_of(status);
        struct error error;

        if (file_identity_equal(&identity, &file->identity))
                return false;
        if (dir->told && is_unsettled(dir, status)) {
                schedule_scan(dir);
                return false;
        }
        file->identity = identity;
        if (objects_file_load(file, path, &error) < 0) {
                log_error(MODULE, "file not read; its last good content stays", LOG_TEXT("file", path),
                          LOG_ERROR_FIELDS(&error));
                return false;
        }
        log_info(MODULE, "file read", LOG_TEXT("file", path), LOG_INT("services", file->model.services.count),
                 LOG_INT("endpoint_slices", file->model.endpoint_slices.count),
                 LOG_INT("bad", file->bad.services.count + file->bad.endpoint_slices.count));
        return true;
}

/* Moves the file of that name out of the old list, whose walk stands at *next; those passed are gone. */
static bool take_known(struct objects_file *known, size_t n_known, size_t *next, const char *name,
                       struct objects_file *out, bool *changed)
{
        while (*next < n_known) {
                int order = strcmp(known[*next].name, name);

                if (order > 0)
                        return false;
                if (order == 0) {
                        *out = known[(*next)++];
                        return true;
                }
                *changed = true;
                objects_file_clear(&known[(*next)++]);
        }
        return false;
}

enum sight {
        SIGHT_FILE,
        SIGHT_GONE,    /* vanished meanwhile, or no regular file */
        SIGHT_UNKNOWN, /* cannot be told now: no reason to drop what it held */
};

static enum sight see(const struct objects_dir *dir, const char *name, char path[static PATH_MAX],
                      struct stat *status)
{
        if (snprintf(path, PATH_MAX, "%s/%s", dir->path, name) >= PATH_MAX)
                return SIGHT_GONE;
        if (stat(path, status) < 0)
                return errno == ENOENT ? SIGHT_GONE : SIGHT_UNKNOWN;
        return S_ISREG(status->st_mode) ? SIGHT_FILE : SIGHT_GONE;
}

/* Fills `files` from the directory's entries, taking over what is known of them. Returns how many. */
static size_t refresh_files(struct objects_dir *dir, struct dirent **entries, size_t n_entries,
                            struct objects_file *files, bool *changed)
{
        size_t next = 0, count = 0;

        for (size_t i = 0; i < n_entries; i++) {
                struct objects_file *file = &files[count];
                char path[PATH_MAX];
                enum sight sight;
                struct stat status;

                sight = see(dir, entries[i]->d_name, path, &status);
                if (sight == SIGHT_GONE)
                        continue;
                if (!take_known(dir->files, dir->n_files, &next, entries[i]->d_name, file, changed))
                        file->name = strdup(entries[i]->d_name);
                if (!file->name)
                        continue;
                if (sight == SIGHT_FILE && refresh_file(dir, file, path, &status))
                        *changed = true;
                count++;
        }
        for (; next < dir->n_files; next++) {
                *changed = true;
                objects_file_clear(&dir->files[next]);
        }
        return count;
}

/* Reads what has changed and tells the listener. Returns 0 or a negative errno with *error set. */
static int scan(struct objects_dir *dir, struct error *error)
{
        struct objects_file *files;
        struct dirent **entries = NULL;
        bool changed = !dir->told;
        int n_entries;

        n_entries = scandir(dir->path, &entries, filter_entry, compare_entries);
        if (n_entries < 0) {
                int r = -errno;

                (void)error_set(error, dir->path, "cannot read the directory: %s", strerror(-r));
                return r;
        }
        files = calloc((size_t)n_entries + 1, sizeof(*files));
        if (!files) {
                free_entries(entries, n_entries);
                return error_oom(error);
        }

        size_t n_files = refresh_files(dir, entries, (size_t)n_entries, files, &changed);
        free_entries(entries, n_entries);
        free(dir->files);
        dir->files = files;
        dir->n_files = n_files;
        if (changed)
                tell(dir);
        return 0;
}

/* ---- watching ---- */

/* The watch goes with the directory it was set on, so it is set again when that one is replaced. */
static void ensure_watch(struct objects_dir *dir)
{
        const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

        if (dir->watch >= 0 || dir->inotify < 0)
                return;
        dir->watch = inotify_add_watch(dir->inotify, dir->path, mask);
}

static void look_again(struct objects_dir *dir)
{
        struct error error;

        ensure_watch(dir);
        if (scan(dir, &error) == 0) {
                dir->unreadable = false;
        } else if (!dir->unreadable) {
                dir->unreadable = true;
                log_error(MODULE, "directory not read; the last state stays", LOG_ERROR_FIELDS(&error));
        }
        dir->look.repeat = dir->unreadable && dir->look_s > GONE_LOOK_S ? GONE_LOOK_S : dir->look_s;
        ev_timer_again(dir->loop, &dir->look);
}

static void on_quiet(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct objects_dir *dir = container_of(watcher, struct objects_dir, quiet);

        (void)revents;
        ev_timer_stop(loop, watcher);
        dir->noisy_since_ms = 0;
        look_again(dir);
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        look_again(container_of(watcher, struct objects_dir, look));
}

/* A file just created has no content yet, IN_CLOSE_WRITE follows; links are complete when they appear. */
static bool is_reason_to_read(const struct objects_dir *dir, const struct inotify_event *event)
{
        char path[PATH_MAX];
        struct stat status;

        if (!(event->mask & IN_CREATE) || event->len == 0)
                return true;
        if (snprintf(path, sizeof(path), "%s/%s", dir->path, event->name) >= (int)sizeof(path) ||
            lstat(path, &status) < 0)
                return false;
        return S_ISLNK(status.st_mode) || status.st_nlink > 1;
}

static void on_events(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct objects_dir *dir = container_of(watcher, struct objects_dir, events);
        char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
        bool read_again = false;
        ssize_t length;

        (void)loop;
        (void)revents;
        while ((length = read(dir->inotify, buffer, sizeof(buffer))) > 0) {
                for (char *at = buffer; at < buffer + length;) {
                        const struct inotify_event *event = (const void *)at;

                        if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
                                (void)inotify_rm_watch(dir->inotify, event->wd);
                                dir->watch = -1;
                        }
                        if (!(event->mask & IN_IGNORED) && is_reason_to_read(dir, event))
                                read_again = true;
                        at += sizeof(*event) + event->len;
                }
        }
        if (read_again)
                schedule_scan(dir);
}

int objects_dir_new(struct ev_loop *loop, const struct objects_dir_options *options,
                    const struct source_listener *listener, struct objects_dir **out, struct error *error)
{
        struct objects_dir *dir = calloc(1, sizeof(*dir));

        if (!dir)
                return error_oom(error);
        dir->path = strdup(options->directory);
        if (!dir->path) {
                free(dir);
                return error_oom(error);
        }
        dir->loop = loop;
        dir->listener = *listener;
        dir->quiet_s = (options->quiet_ms ? options->quiet_ms : QUIET_DEFAULT_MS) / 1000.0;
        dir->look_s = options->look_s ? options->look_s : LOOK_DEFAULT_S;
        dir->inotify = -1;
        dir->watch = -1;
        ev_init(&dir->events, on_events);
        ev_timer_init(&dir->quiet, on_quiet, 0, dir->quiet_s);
        ev_timer_init(&dir->look, on_look, dir->look_s, dir->look_s);
        *out = dir;
        return 0;
}

int objects_dir_start(struct objects_dir *dir, struct error *error)
{
        int r;

        dir->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        ensure_watch(dir); /* before the first look, so that no change falls in between */
        r = scan(dir, error);
        if (r < 0)
                return r;
        if (dir->watch < 0)
                log_warning(MODULE, "no inotify: changes are seen by the slow timer only",
                            LOG_TEXT("directory", dir->path));
        if (dir->inotify >= 0) {
                ev_io_set(&dir->events, dir->inotify, EV_READ);
                ev_io_start(dir->loop, &dir->events);
        }
        ev_timer_start(dir->loop, &dir->look);
        return 0;
}

void objects_dir_free(struct objects_dir *dir)
{
        if (!dir)
                return;
        ev_io_stop(dir->loop, &dir->events);
        ev_timer_stop(dir->loop, &dir->quiet);
        ev_timer_stop(dir->loop, &dir->look);
        if (dir->inotify >= 0)
                (void)close(dir->inotify);
        for (size_t i = 0; i < dir->n_files; i++)
                objects_file_clear(&dir->files[i]);
        free(dir->files);
        free(dir->path);
        free(dir);
}
