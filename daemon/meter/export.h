/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/**
 * vmd-meter export: files for a billing system, of a day or of a month, in a folder of
 * their own.  A client of the vmd-meter that runs, like any other.
 *
 * A folder is complete when it has SHA256SUMS, which is written last.  What was written
 * first says which row of the ledger all of it is as of, so that who repeats it writes
 * the same bytes, or fails and leaves all as it was.
 */

/** Does what the command line says; an exit status. */
int export_main(int argc, char **argv);
