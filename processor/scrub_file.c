// SPDX-License-Identifier: Apache-2.0
//
// How it works: a file that is one JSON document is scrubbed as such. Of any other the lines that are documents are;
// the runs of lines between them are walked over as one text, for what has a form of its own wherever it stands (keys
// in PEM form, cards, addresses), and then line by line, for what is judged by a name. What does not change is copied
// in large pieces, and not at all before something has changed.
#include "processor/scrub_file.h"

#define NAME_BYTES_MAX 128
#define ROUNDS_MAX     8

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// --- is it text? -----------------------------------------------------------------------------------------------------

static bool ends_with(struct slice text, const char *ending) {
  struct slice wanted = slice_from_cstr(ending);
  return text.len >= wanted.len && slice_equal_ignore_case(slice_skip(text, text.len - wanted.len), wanted);
}

static bool starts_with(struct slice text, const char *beginning) {
  struct slice wanted = slice_from_cstr(beginning);
  return slice_equal_ignore_case(slice_sub(text, 0, wanted.len), wanted);
}

static bool is_text_type(struct slice type) {
  static const char *const endings[] = {"/json", "+json",  "json",  "/xml", "+xml",
                                        "/yaml", "x-yaml", "/toml", "/sql", "/x-www-form-urlencoded"};
  if (starts_with(type, "text/")) return true;
  for (size_t i = 0; i < COUNT(endings); i++) {
    if (ends_with(type, endings[i])) return true;
  }
  return false;
}

static bool is_picture_or_sound(struct slice type) {
  static const char *const beginnings[] = {"image/", "audio/", "video/", "font/"};
  for (size_t i = 0; i < COUNT(beginnings); i++) {
    if (starts_with(type, beginnings[i])) return true;
  }
  return false;
}

static bool is_text_name(struct slice name) {
  static const char *const endings[] = {".log",  ".txt", ".json", ".jsonl", ".ndjson", ".csv",  ".tsv",
                                        ".xml",  ".yml", ".md",   ".yaml",  ".ini",    ".conf", ".cfg",
                                        ".toml", ".env", ".sql",  ".out",   ".err",    ".html", ".properties"};
  for (size_t i = 0; i < COUNT(endings); i++) {
    if (ends_with(name, endings[i])) return true;
  }
  return false;
}

// Binary formats have bytes that no text has, nearly always among the first ones.
static bool looks_like_text(struct slice content) {
  for (size_t i = 0; i < content.len; i++) {
    uint8_t byte = content.ptr[i];
    bool control = byte < 0x20 || byte == 0x7f;
    if (control && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f' && byte != '\b' && byte != 0x1b)
      return false;
  }
  return true;
}

bool scrub_file_is_text(struct slice content_type, struct slice filename, struct slice content) {
  struct slice type = slice_trim(slice_sub(content_type, 0, slice_find_byte(content_type, ';')));
  if (is_text_type(type)) return true;
  if (is_picture_or_sound(type)) return false;
  return is_text_name(filename) || looks_like_text(content);
}

// --- its lines -------------------------------------------------------------------------------------------------------

struct walk {
  const struct scrub *scrub;
  struct json_parser *inner;
  struct slice text;
  struct buffer *out;
  size_t kept;                // so much of the text is in `out`
  struct buffer document;     // what a document in a line becomes
  struct buffer line;         // what any other line becomes
  struct buffer whole, lines; // what a run of lines becomes: as one text, and then line by line
  struct buffer run;          // from where it is looked at again
  bool changed;
  enum status status;
};

// The next line without its end; false behind the last one.
static bool next_line(struct slice text, size_t *from, struct slice *out_line) {
  if (*from >= text.len) return false;
  struct slice line = slice_skip(text, *from);
  line = slice_sub(line, 0, slice_find_byte(line, '\n'));
  *from += line.len + 1;
  if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
  *out_line = line;
  return true;
}

static bool is_name(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    bool letter = ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || (byte >= '0' && byte <= '9');
    if (!letter && byte != '_' && byte != '-' && byte != '.') return false;
  }
  return text.len > 0;
}

// "name", name, export name, - name
static struct slice bare_name(struct slice text) {
  text = slice_trim(text);
  if (starts_with(text, "export ")) text = slice_trim(slice_skip(text, 7));
  if (starts_with(text, "- ")) text = slice_trim(slice_skip(text, 2));
  bool quoted = text.len > 2 && (text.ptr[0] == '"' || text.ptr[0] == '\'') && text.ptr[text.len - 1] == text.ptr[0];
  return quoted ? slice_sub(text, 1, text.len - 2) : text;
}

// Does the line begin with a sensitive name and what separates it from its value?
static bool is_secret_setting(const struct scrub *scrub, struct slice line, size_t *out_value) {
  size_t at = 0, most = line.len < NAME_BYTES_MAX ? line.len : NAME_BYTES_MAX;
  while (at < most && line.ptr[at] != ':' && line.ptr[at] != '=') at++;
  if (at == most) return false;
  struct slice name = bare_name(slice_sub(line, 0, at));
  *out_value = at + 1;
  return is_name(name) && scrub_key_is_sensitive(scrub, name);
}

// What the line becomes is in walk->line; false when it stays.
static bool scrub_line(struct walk *walk, struct slice line) {
  size_t at = 0;
  buffer_clear(&walk->line);
  if (!is_secret_setting(walk->scrub, line, &at))
    return scrub_text(walk->scrub, SCRUB_TEXT_VALUE, line, &walk->line) != NULL;
  struct slice value = slice_skip(line, at), bare = slice_trim(value);
  if (bare.len == 0 || slice_equal_cstr(bare, SCRUB_FILTERED)) return false;
  buffer_append_slice(&walk->line, slice_sub(line, 0, at + (size_t)(bare.ptr - value.ptr)));
  buffer_append_cstr(&walk->line, SCRUB_FILTERED);
  return true;
}

// The text from `from` to `to` is this from now on.
static void put(struct walk *walk, size_t from, size_t to, const struct buffer *instead) {
  buffer_append_slice(walk->out, slice_sub(walk->text, walk->kept, from - walk->kept));
  buffer_append_slice(walk->out, buffer_slice(instead));
  if (instead->failed || walk->out->failed) walk->status = STATUS_TOO_LARGE;
  walk->kept = to;
  walk->changed = true;
}

// Line by line; the result is in walk->lines, when the answer is true.
static bool scrub_each(struct walk *walk, struct slice text) {
  struct slice line;
  size_t kept = 0;
  bool changed = false;
  buffer_clear(&walk->lines);
  for (size_t next = 0; next_line(text, &next, &line);) {
    if (!scrub_line(walk, line)) continue;
    size_t start = (size_t)(line.ptr - text.ptr);
    buffer_append_slice(&walk->lines, slice_sub(text, kept, start - kept));
    buffer_append_slice(&walk->lines, buffer_slice(&walk->line));
    kept = start + line.len;
    changed = true;
    if (walk->line.failed) walk->status = STATUS_TOO_LARGE;
  }
  if (changed) buffer_append_slice(&walk->lines, slice_skip(text, kept));
  return changed;
}

// Lines of which none is a document. A line that goes may take an end with it that something in front of it had, so
// what was changed is looked at again.
static void scrub_run(struct walk *walk, size_t from, size_t to) {
  struct slice text = slice_sub(walk->text, from, to - from);
  const struct buffer *instead = NULL;
  for (int round = 0; round < ROUNDS_MAX; round++) {
    buffer_clear(&walk->whole);
    bool met = scrub_text(walk->scrub, SCRUB_TEXT_MESSAGE, text, &walk->whole) != NULL;
    if (met) {
      instead = &walk->whole;
      text = buffer_slice(instead);
    }
    if (!scrub_each(walk, text)) break;
    instead = &walk->lines;
    if (walk->whole.failed || walk->lines.failed) break;
    buffer_clear(&walk->run);
    buffer_append_slice(&walk->run, buffer_slice(instead));
    instead = &walk->run;
    text = buffer_slice(instead);
  }
  if (walk->whole.failed || walk->lines.failed || walk->run.failed) walk->status = STATUS_TOO_LARGE;
  if (instead && walk->status == STATUS_OK) put(walk, from, to, instead);
}

// Is the text a JSON document? When something is taken out of it, what it becomes is appended to `out`.
static bool scrub_document(struct walk *walk, struct slice text, struct buffer *out, bool *out_changed) {
  struct json_value root;
  text = slice_trim(text);
  bool likely = text.len > 1 && (text.ptr[0] == '{' || text.ptr[0] == '[');
  if (!likely || text.len > SCRUB_FILE_JSON_BYTES_MAX) return false;
  if (json_parse(walk->inner, text, &root, NULL) != STATUS_OK) return false;
  walk->status = scrub_json(walk->scrub, root, out, out_changed);
  return true;
}

static void scrub_lines(struct walk *walk) {
  struct slice line;
  size_t run = 0; // start of the lines that are no documents
  for (size_t next = 0; walk->status == STATUS_OK && next_line(walk->text, &next, &line);) {
    bool changed = false;
    buffer_clear(&walk->document);
    if (!scrub_document(walk, line, &walk->document, &changed)) continue;
    size_t start = (size_t)(line.ptr - walk->text.ptr), end = start + line.len;
    if (run < start) scrub_run(walk, run, start);
    if (changed) put(walk, start, end, &walk->document);
    run = end;
  }
  if (walk->status == STATUS_OK && run < walk->text.len) scrub_run(walk, run, walk->text.len);
  if (walk->changed) buffer_append_slice(walk->out, slice_skip(walk->text, walk->kept));
}

enum status scrub_file(const struct scrub *scrub, struct slice content, struct json_parser *inner, struct buffer *out,
                       bool *out_changed) {
  ASSERT(!out->failed);
  *out_changed = false;
  if (!scrub_is_enabled(scrub)) return STATUS_OK;
  const size_t before = out->len;
  struct walk walk = {.scrub = scrub, .inner = inner, .text = content, .out = out};
  buffer_init(&walk.document, out->max_bytes);
  buffer_init(&walk.line, out->max_bytes);
  buffer_init(&walk.whole, out->max_bytes);
  buffer_init(&walk.lines, out->max_bytes);
  buffer_init(&walk.run, out->max_bytes);
  if (!scrub_document(&walk, content, out, &walk.changed)) scrub_lines(&walk);
  buffer_finish(&walk.document);
  buffer_finish(&walk.line);
  buffer_finish(&walk.whole);
  buffer_finish(&walk.lines);
  buffer_finish(&walk.run);
  if (out->failed) walk.status = STATUS_TOO_LARGE;
  if (walk.status != STATUS_OK) {
    out->len = before;
    out->failed = false;
    return walk.status;
  }
  *out_changed = walk.changed;
  return STATUS_OK;
}
