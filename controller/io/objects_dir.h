/* Kubernetes objects in the files of a directory: *.json, *.yaml and *.yml, not those whose name begins with
 * a dot. The directory may be a mounted ConfigMap.
 *
 * Files are read again when inotify(7) tells of a change, and looked at on a slow timer besides (a file
 * system may not tell). A file that is still being written is left for later, but whoever wants to be sure
 * writes elsewhere and renames. A file that does not parse keeps its last good content, and so does the whole
 * directory when it cannot be read.
 */
#pragma once

#include "base/error.h"
#include "io/source.h"

#include <ev.h>

struct objects_dir_options {
        const char *directory; /* copied */
        unsigned int quiet_ms; /* wait for so long without an event before reading; 0: 50 */
        unsigned int look_s;   /* the slow timer; 0: 30 */
};

struct objects_dir;

/* Opens nothing yet. `loop` and the listener's userdata must outlive it. Returns 0 and *out, to be freed
 * with objects_dir_free; or -ENOMEM with *error set. */
int objects_dir_new(struct ev_loop *loop, const struct objects_dir_options *options,
                    const struct source_listener *listener, struct objects_dir **out, struct error *error);

/* Reads the directory, tells the listener (during the call) and begins to watch. A file that does not parse
 * is logged and no error. Returns 0 or a negative errno with *error set: the directory cannot be read. */
int objects_dir_start(struct objects_dir *dir, struct error *error);

/* Does not call the listener. NULL is fine. */
void objects_dir_free(struct objects_dir *dir);
