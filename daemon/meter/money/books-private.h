/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/money/books.h"

/* What the files of the books share: books.c takes notes and answers, books-check.c says
 * what may be noted. */

typedef struct {
    Card *card;
    gint64 seq;
} Version;

typedef struct {
    ProtoAssignmentNote note;
    gint64 seq;
} Assignment;

struct Books {
    /** Of Version, Assignment, BooksPeriod, BooksCorrection and BooksRecovery. */
    GPtrArray *cards;
    GPtrArray *assignments;
    GPtrArray *periods;
    GPtrArray *corrections;
    GPtrArray *recoveries;
    /** Of BooksPassed. */
    GPtrArray *passed;
    gint64 note;
};

/** The newest version of a card whose time has come. */
const Card *books_find_card_at(const BooksAt *at, const char *name, gint64 at_ms);

/** The newest assignment of tenant itself, NULL: of all, whose time has come. */
const ProtoAssignmentNote *
books_find_assignment(const BooksAt *at, const char *tenant, gint64 at_ms);
