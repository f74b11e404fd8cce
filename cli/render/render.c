/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/render.h"

#include <string.h>

#include "render/cell.h"
#include "text.h"

enum {
    GAP = 2
};

void
render_init(Render *render, const View *view, Format format, gint64 now_us)
{
    *render = (Render){
        .view = view,
        .format = format,
        .is_upright = view != NULL && !view->is_list,
        .now_us = now_us,
        .widths = view != NULL ? g_new0(gsize, view->n_columns) : NULL,
    };
}

void
render_done(Render *render)
{
    g_clear_pointer(&render->widths, g_free);
}

/* The rows of a reply, borrowed from it. */
static GPtrArray *
list_rows(const View *view, JsonNode *reply)
{
    GPtrArray *rows = g_ptr_array_new();
    JsonObject *object = json_node_get_object(reply);
    JsonNode *node =
        view->member != NULL ? json_object_get_member(object, view->member) : reply;

    if (node == NULL)
        return rows;
    if (JSON_NODE_HOLDS_OBJECT(node))
        g_ptr_array_add(rows, json_node_get_object(node));
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return rows;
    for (guint i = 0; i < json_array_get_length(json_node_get_array(node)); i++) {
        JsonNode *element = json_array_get_element(json_node_get_array(node), i);

        if (JSON_NODE_HOLDS_OBJECT(element))
            g_ptr_array_add(rows, json_node_get_object(element));
    }
    return rows;
}

static void
append_spaces(GString *out, gsize count)
{
    for (gsize i = 0; i < count; i++)
        g_string_append_c(out, ' ');
}

static bool
is_shown(const Render *render, const Column *column)
{
    return column->width == COLUMN_NARROW || render->format == FORMAT_WIDE;
}

/** A cell that is written but not yet placed. */
typedef struct {
    /** Where it ends in the cells' text. */
    gsize end;
    gsize width;
} Cell;

static void
add_cell(GArray *cells, GString *text, gsize start)
{
    Cell cell = { text->len, text_get_width(text->str + start) };

    g_array_append_val(cells, cell);
}

/* The cells of all rows one behind the other, the header's first. */
static void
write_cells(Render *render, GPtrArray *rows, GString *text, GArray *cells)
{
    const View *view = render->view;

    for (gsize i = 0; !render->has_begun && i < view->n_columns; i++) {
        gsize start = text->len;

        if (!is_shown(render, &view->columns[i]))
            continue;
        g_string_append(text, view->columns[i].header);
        add_cell(cells, text, start);
    }
    for (guint row = 0; row < rows->len; row++) {
        for (gsize i = 0; i < view->n_columns; i++) {
            const Column *column = &view->columns[i];
            gsize start = text->len;

            if (!is_shown(render, column))
                continue;
            cell_append(text, cell_find(g_ptr_array_index(rows, row), column->path),
                        column->kind, render->now_us);
            add_cell(cells, text, start);
        }
    }
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
append_table(Render *render, GPtrArray *rows, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(Cell));
    gsize n_columns = count_shown(render);
    gsize start = 0;

    write_cells(render, rows, text, cells);
    for (guint i = 0; i < cells->len; i++) {
        gsize *width = &render->widths[i % n_columns];

        *width = MAX(*width, g_array_index(cells, Cell, i).width);
    }
    for (guint i = 0; i < cells->len; i++) {
        const Cell *cell = &g_array_index(cells, Cell, i);

        g_string_append_len(out, text->str + start, (gssize) (cell->end - start));
        start = cell->end;
        if (i % n_columns == n_columns - 1) {
            g_string_append_c(out, '\n');
        } else {
            append_spaces(out, render->widths[i % n_columns] - cell->width + GAP);
        }
    }
    render->has_begun = true;
}

/* Every column of each row, one a line. */
static void
append_upright(Render *render, GPtrArray *rows, GString *out)
{
    const View *view = render->view;
    gsize width = 0;

    for (gsize i = 0; i < view->n_columns; i++)
        width = MAX(width, strlen(view->columns[i].header));
    for (guint row = 0; row < rows->len; row++) {
        for (gsize i = 0; i < view->n_columns; i++) {
            const Column *column = &view->columns[i];

            g_string_append(out, column->header);
            append_spaces(out, width - strlen(column->header) + GAP);
            cell_append(out, cell_find(g_ptr_array_index(rows, row), column->path),
                        column->kind, render->now_us);
            g_string_append_c(out, '\n');
        }
    }
}

static void
append_quoted(GString *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

/* RFC 4180: all columns, named by their paths, lines that end with CR LF. */
static void
append_csv(Render *render, GPtrArray *rows, GString *out)
{
    const View *view = render->view;
    g_autoptr(GString) cell = g_string_new(NULL);

    for (gsize i = 0; !render->has_begun && i < view->n_columns; i++) {
        g_string_append(out, view->columns[i].path);
        g_string_append(out, i + 1 < view->n_columns ? "," : "\r\n");
    }
    render->has_begun = true;
    for (guint row = 0; row < rows->len; row++) {
        for (gsize i = 0; i < view->n_columns; i++) {
            JsonNode *node =
                cell_find(g_ptr_array_index(rows, row), view->columns[i].path);

            g_string_truncate(cell, 0);
            cell_append_plain(cell, node);
            append_quoted(out, cell->str);
            g_string_append(out, i + 1 < view->n_columns ? "," : "\r\n");
        }
    }
}

static void
append_paths(GPtrArray *rows, const char *path, GString *out)
{
    for (guint row = 0; row < rows->len; row++) {
        cell_append_plain(out, cell_find(g_ptr_array_index(rows, row), path));
        g_string_append_c(out, '\n');
    }
}

void
render_append_json(JsonNode *node, bool is_pretty, GString *out)
{
    g_autofree char *json = json_to_string(node, is_pretty);

    text_append_json(out, json);
    g_string_append_c(out, '\n');
}

void
render_append(Render *render, JsonNode *reply, GString *out)
{
    g_autoptr(GPtrArray) rows = NULL;

    if (render->format == FORMAT_JSON) {
        render_append_json(reply, render->is_pretty, out);
        return;
    }
    rows = list_rows(render->view, reply);
    switch (render->format) {
    case FORMAT_TABLE:
    case FORMAT_WIDE:
        if (render->is_upright) {
            append_upright(render, rows, out);
        } else {
            append_table(render, rows, out);
        }
        break;
    case FORMAT_CSV:
        append_csv(render, rows, out);
        break;
    case FORMAT_NAME:
        append_paths(rows, render->view->name_path, out);
        break;
    case FORMAT_ID:
        append_paths(rows, render->view->id_path, out);
        break;
    case FORMAT_JSON:
        break;
    }
}
