/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

/*
 * replay NAME FOLDER: runs every file of the corpus through a target, as a plain test.
 * A fault ends the process; the last line of the output names the file.
 */

static void
run_file(const char *path)
{
    g_autofree char *text = NULL;
    g_autofree uint8_t *data = NULL;
    gsize size = 0;

    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    /* Of exactly its size, so that ASan sees a read behind it. */
    data = size > 0 ? g_memdup2(text, size) : g_malloc(1);
    LLVMFuzzerTestOneInput(data, size);
}

int
main(int argc, char **argv)
{
    g_autoptr(GDir) folder = NULL;
    const char *name = NULL;
    guint count = 0;

    if (argc != 3)
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("1..1");
    folder = g_dir_open(argv[2], 0, NULL);
    while (folder != NULL && (name = g_dir_read_name(folder)) != NULL) {
        g_autofree char *path = g_build_filename(argv[2], name, NULL);

        printf("# %s\n", name);
        run_file(path);
        count++;
    }
    printf("%s 1 - %s-bears-its-corpus of %u files\n", count > 0 ? "ok" : "not ok",
           argv[1], count);
    return EXIT_SUCCESS;
}
