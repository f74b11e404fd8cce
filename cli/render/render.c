/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/render.h"

#include <string.h>

#include "render/cell.h"
#include "text.h"

enum {
    GAP = 2
};

/** A cell of a table that is written but not yet placed. */
typedef struct {
    /** Where it ends in the text. */
    gsize end;
    gsize width;
} Cell;

void
render_init(Render *render, const View *view, Format format, gint64 now_us)
{
    *render = (Render){
        .view = view,
        .format = format,
        .is_upright = !view->is_list,
        .now_us = now_us,
        .text = g_string_new(NULL),
        .cells = g_array_new(FALSE, FALSE, sizeof(Cell)),
        .widths = g_new0(gsize, view->n_columns),
    };
}

void
render_done(Render *render)
{
    g_string_free(g_steal_pointer(&render->text), TRUE);
    g_clear_pointer(&render->cells, g_array_unref);
    g_clear_pointer(&render->widths, g_free);
}

static void
append_spaces(GString *out, gsize count)
{
    static const char spaces[] = "                                ";

    for (; count > sizeof spaces - 1; count -= sizeof spaces - 1)
        g_string_append_len(out, spaces, sizeof spaces - 1);
    g_string_append_len(out, spaces, (gssize) count);
}

static bool
is_shown(const Render *render, const Column *column)
{
    return column->width == COLUMN_NARROW || render->format == FORMAT_WIDE;
}

static gsize
count_shown(const Render *render)
{
    gsize count = 0;

    for (gsize i = 0; i < render->view->n_columns; i++)
        count += is_shown(render, &render->view->columns[i]) ? 1 : 0;
    return count;
}

static void
end_cell(Render *render, gsize start, gsize column)
{
    const Cell cell = { render->text->len, text_get_width(render->text->str + start) };

    g_array_append_val(render->cells, cell);
    render->widths[column] = MAX(render->widths[column], cell.width);
}

static void
add_header(Render *render)
{
    const View *view = render->view;
    gsize shown = 0;

    for (gsize i = 0; i < view->n_columns; i++) {
        gsize start = render->text->len;

        if (!is_shown(render, &view->columns[i]))
            continue;
        g_string_append(render->text, view->columns[i].header);
        end_cell(render, start, shown++);
    }
}

static void
add_table_row(Render *render, const Tree *tree, const TreeNode *row)
{
    const View *view = render->view;
    gsize shown = 0;

    for (gsize i = 0; i < view->n_columns; i++) {
        const Column *column = &view->columns[i];
        gsize start = render->text->len;

        if (!is_shown(render, column))
            continue;
        cell_append(render->text, tree, tree_find_path(tree, row, column->path),
                    column->kind, render->now_us);
        end_cell(render, start, shown++);
    }
}

/* Every column, one a line. */
static void
add_upright_row(Render *render, const Tree *tree, const TreeNode *row)
{
    const View *view = render->view;
    gsize width = 0;

    for (gsize i = 0; i < view->n_columns; i++)
        width = MAX(width, strlen(view->columns[i].header));
    for (gsize i = 0; i < view->n_columns; i++) {
        const Column *column = &view->columns[i];

        g_string_append(render->text, column->header);
        append_spaces(render->text, width - strlen(column->header) + GAP);
        cell_append(render->text, tree, tree_find_path(tree, row, column->path),
                    column->kind, render->now_us);
        g_string_append_c(render->text, '\n');
    }
}

/* Quotes what was appended since start, if it has to be. */
static void
quote_from(GString *out, gsize start)
{
    if (strpbrk(out->str + start, ",\"\r\n") == NULL)
        return;
    for (gsize i = start; i < out->len; i++) {
        if (out->str[i] == '"')
            g_string_insert_c(out, (gssize) i++, '"');
    }
    g_string_insert_c(out, (gssize) start, '"');
    g_string_append_c(out, '"');
}

/* RFC 4180: all columns, named by their paths, lines that end with CR LF. */
static void
add_csv_header(Render *render)
{
    const View *view = render->view;

    for (gsize i = 0; i < view->n_columns; i++) {
        g_string_append(render->text, view->columns[i].path);
        g_string_append(render->text, i + 1 < view->n_columns ? "," : "\r\n");
    }
}

static void
add_csv_row(Render *render, const Tree *tree, const TreeNode *row)
{
    const View *view = render->view;

    for (gsize i = 0; i < view->n_columns; i++) {
        gsize start = render->text->len;

        cell_append_plain(render->text, tree,
                          tree_find_path(tree, row, view->columns[i].path));
        quote_from(render->text, start);
        g_string_append(render->text, i + 1 < view->n_columns ? "," : "\r\n");
    }
}

static void
add_path(Render *render, const Tree *tree, const TreeNode *row, const char *path)
{
    cell_append_plain(render->text, tree, tree_find_path(tree, row, path));
    g_string_append_c(render->text, '\n');
}

static void
add_row(Render *render, const Tree *tree, const TreeNode *row)
{
    switch (render->format) {
    case FORMAT_TABLE:
    case FORMAT_WIDE:
        if (render->is_upright) {
            add_upright_row(render, tree, row);
        } else {
            add_table_row(render, tree, row);
        }
        break;
    case FORMAT_CSV:
        add_csv_row(render, tree, row);
        break;
    case FORMAT_NAME:
        add_path(render, tree, row, render->view->name_path);
        break;
    case FORMAT_ID:
        add_path(render, tree, row, render->view->id_path);
        break;
    case FORMAT_JSON:
        g_assert_not_reached();
    }
}

static void
begin(Render *render)
{
    if (render->has_begun)
        return;
    render->has_begun = true;
    if (render->format == FORMAT_CSV) {
        add_csv_header(render);
    } else if (render->format <= FORMAT_WIDE && !render->is_upright) {
        add_header(render);
    }
}

void
render_add(Render *render, const Tree *tree, const TreeNode *reply)
{
    const TreeNode *rows = reply;
    const TreeNode *row = NULL;

    begin(render);
    if (render->view->member != NULL)
        rows = tree_find(tree, reply, render->view->member);
    if (rows != NULL && rows->kind == TREE_OBJECT)
        add_row(render, tree, rows);
    if (rows == NULL || rows->kind != TREE_ARRAY)
        return;
    while ((row = tree_next(tree, rows, row)) != NULL) {
        if (row->kind == TREE_OBJECT)
            add_row(render, tree, row);
    }
}

static void
place_cells(Render *render, GString *out)
{
    gsize n_columns = count_shown(render);
    gsize start = 0;

    for (guint i = 0; i < render->cells->len; i++) {
        const Cell *cell = &g_array_index(render->cells, Cell, i);

        g_string_append_len(out, render->text->str + start, (gssize) (cell->end - start));
        start = cell->end;
        if (i % n_columns == n_columns - 1) {
            g_string_append_c(out, '\n');
        } else {
            append_spaces(out, render->widths[i % n_columns] - cell->width + GAP);
        }
    }
    g_array_set_size(render->cells, 0);
}

void
render_flush(Render *render, GString *out)
{
    if (render->cells->len > 0) {
        place_cells(render, out);
    } else {
        g_string_append_len(out, render->text->str, (gssize) render->text->len);
    }
    g_string_truncate(render->text, 0);
}

void
render_append(Render *render, JsonNode *reply, GString *out)
{
    bool is_json = render->format == FORMAT_JSON;
    g_autofree char *json = json_to_string(reply, is_json && render->is_pretty);
    g_autoptr(Tree) tree = NULL;

    if (is_json) {
        text_append_json(out, json);
        g_string_append_c(out, '\n');
        return;
    }
    tree = tree_new(json, strlen(json));
    if (tree != NULL)
        render_add(render, tree, tree->nodes);
    render_flush(render, out);
}
