/* An exported generator run by TensorFlow's C library: no Python in the process.
 *
 *     generate saved_models/digits/1 SEED[:LABEL] ...
 *
 * Prints the shape of the samples ("samples 2 8 8 1"), then one line of values for each. LABEL is
 * the class, for a conditional generator (0 where it is left out). See README.md for how to build.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

/* -- The signature's tensor names, read from the MetaGraphDef in protobuf's wire format. -- */

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} Bytes;

static uint64_t varint(Bytes *bytes) {
  uint64_t value = 0;
  for (int shift = 0; bytes->at < bytes->end && shift < 64; shift += 7) {
    uint8_t byte = *bytes->at++;
    value |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) break;
  }
  return value;
}

/* Moves to the next length-delimited field of that number; 0 at the end. */
static int next_field(Bytes *message, uint64_t number, Bytes *field) {
  while (message->at < message->end) {
    uint64_t tag = varint(message);
    uint64_t length = 0;
    switch (tag & 7) {
      case 0: varint(message); break;
      case 1: length = 8; break;
      case 5: length = 4; break;
      case 2: length = varint(message); break;
      default: return 0;
    }
    if (length > (uint64_t)(message->end - message->at)) return 0;
    field->at = message->at;
    field->end = message->at += length;
    if ((tag & 7) == 2 && tag >> 3 == number) return 1;
  }
  return 0;
}

/* The value of `key` in the map that is field `number` of a message. */
static int find(Bytes message, uint64_t number, const char *key, Bytes *value) {
  Bytes entry;
  while (next_field(&message, number, &entry)) {
    Bytes in_key = entry, in_value = entry, name;
    if (next_field(&in_key, 1, &name) && next_field(&in_value, 2, value) &&
        (size_t)(name.end - name.at) == strlen(key) && !memcmp(name.at, key, strlen(key)))
      return 1;
  }
  return 0;
}

/* The graph's tensor behind an input (field 1) or output (2) of a signature: "operation:index". */
static int tensor_of(Bytes signature, uint64_t number, const char *key, TF_Graph *graph,
                     TF_Output *output) {
  Bytes info, name;
  char text[512];
  if (!find(signature, number, key, &info) || !next_field(&info, 1, &name)) return 0;
  size_t length = name.end - name.at;
  if (length >= sizeof text) return 0;
  memcpy(text, name.at, length);
  text[length] = 0;
  char *colon = strrchr(text, ':');
  output->index = colon ? atoi(colon + 1) : 0;
  if (colon) *colon = 0;
  output->oper = TF_GraphOperationByName(graph, text);
  return output->oper != NULL;
}

/* -- The program. -- */

static void fail(const char *what, const char *why) {
  fprintf(stderr, "generate: %s: %s\n", what, why);
  exit(1);
}

static void check(TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static TF_Tensor *int64_tensor(int64_t count) {
  return TF_AllocateTensor(TF_INT64, &count, 1, count * sizeof(int64_t));
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: generate VERSION_FOLDER SEED[:LABEL] ...\n");
    return 2;
  }
  int64_t count = argc - 2;
  TF_Tensor *values[2] = {int64_tensor(count), int64_tensor(count)};
  int64_t *seeds = TF_TensorData(values[0]), *labels = TF_TensorData(values[1]);
  for (int64_t i = 0; i < count; i++) {
    char *rest;
    seeds[i] = strtoll(argv[i + 2], &rest, 10);
    labels[i] = *rest == ':' ? strtoll(rest + 1, &rest, 10) : 0;
    if (*rest || rest == argv[i + 2]) fail(argv[i + 2], "must be SEED or SEED:LABEL");
  }

  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Buffer *meta_graph = TF_NewBuffer();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph,
                                                     meta_graph, status);
  check(status, argv[1]);

  Bytes all = {meta_graph->data, (const uint8_t *)meta_graph->data + meta_graph->length};
  Bytes signature;
  TF_Output inputs[2], output;
  if (!find(all, 5, "generate", &signature)) fail(argv[1], "has no signature 'generate'");
  if (!tensor_of(signature, 1, "seeds", graph, &inputs[0])) fail(argv[1], "takes no 'seeds'");
  if (!tensor_of(signature, 2, "images", graph, &output) &&
      !tensor_of(signature, 2, "points", graph, &output))
    fail(argv[1], "gives neither 'images' nor 'points'");
  int takes_labels = tensor_of(signature, 1, "labels", graph, &inputs[1]);

  TF_Tensor *samples = NULL;
  TF_SessionRun(session, NULL, inputs, values, 1 + takes_labels, &output, &samples, 1, NULL, 0,
                NULL, status);
  check(status, "generating");

  printf("samples");
  for (int i = 0; i < TF_NumDims(samples); i++) printf(" %" PRId64, TF_Dim(samples, i));
  const float *pixels = TF_TensorData(samples);
  int64_t size = TF_TensorElementCount(samples) / count;
  for (int64_t i = 0; i < count * size; i++) printf("%s%.9g", i % size ? " " : "\n", pixels[i]);
  printf("\n");

  TF_DeleteTensor(samples);
  TF_DeleteTensor(values[0]);
  TF_DeleteTensor(values[1]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteBuffer(meta_graph);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
