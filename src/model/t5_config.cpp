#include "model/t5_config.h"

#include "base/error.h"
#include "io/json_file.h"

namespace genrec {
namespace {

/// Reads fields of one config.json with messages that name file and key.
class Fields {
 public:
  Fields(Json json, std::string origin) : origin_(std::move(origin)), json_(std::move(json)) {
    if (!json_.is_object()) throw DataError(origin_ + ": expected a JSON object");
  }
  template <typename T>
  void read(const char* key, T& value) const {
    const auto found = json_.find(key);
    if (found == json_.end() || found->is_null()) return;
    try {
      value = found->get<T>();
    } catch (const Json::exception&) {
      fail(key, found->dump(), "a value of another type");
    }
  }
  void read_size(const char* key, std::int64_t& value) const {
    read(key, value);
    if (value <= 0) fail(key, std::to_string(value), "a positive number");
  }
  [[noreturn]] void fail(const std::string& key, const std::string& value,
                         const std::string& expected) const {
    throw DataError(origin_ + ": \"" + key + "\" is " + value + "; expected " + expected);
  }

 private:
  std::string origin_;
  Json json_;
};

T5Config parse(const Fields& fields) {
  std::string type = "t5", activation = "relu";
  fields.read("model_type", type);
  if (type != "t5") fields.fail("model_type", '"' + type + '"', "\"t5\" (T5, T5 v1.1 or Flan-T5)");
  T5Config c;
  fields.read_size("d_model", c.d_model);
  fields.read_size("d_kv", c.d_kv);
  fields.read_size("d_ff", c.d_ff);
  fields.read_size("num_layers", c.num_layers);
  c.num_decoder_layers = c.num_layers;
  fields.read_size("num_decoder_layers", c.num_decoder_layers);
  fields.read_size("num_heads", c.num_heads);
  fields.read_size("relative_attention_num_buckets", c.relative_attention_num_buckets);
  fields.read_size("relative_attention_max_distance", c.relative_attention_max_distance);
  if (c.relative_attention_num_buckets < 4) {
    fields.fail("relative_attention_num_buckets", std::to_string(c.relative_attention_num_buckets),
                "at least 4");
  }
  if (c.relative_attention_max_distance <= c.relative_attention_num_buckets / 2) {
    fields.fail("relative_attention_max_distance", std::to_string(c.relative_attention_max_distance),
                "more than half of relative_attention_num_buckets");
  }
  fields.read_size("vocab_size", c.vocab_size);
  fields.read("dropout_rate", c.dropout_rate);
  fields.read("layer_norm_epsilon", c.layer_norm_epsilon);
  fields.read("initializer_factor", c.initializer_factor);
  fields.read("feed_forward_proj", activation);
  if (activation != "relu" && activation != "gated-gelu") {
    fields.fail("feed_forward_proj", '"' + activation + '"', "\"relu\" or \"gated-gelu\"");
  }
  c.gated_gelu = activation == "gated-gelu";
  fields.read("tie_word_embeddings", c.tied_head);
  // transformers 5 saves the same fact under this name.
  bool scaled = true;
  fields.read("scale_decoder_outputs", scaled);
  c.tied_head = c.tied_head && scaled;
  return c;
}

}  // namespace

T5Config T5Config::preset(const std::string& name) {
  T5Config c;
  if (name == "tiger") return c;
  if (name == "tiny") {
    c.d_model = 64;
    c.d_kv = 16;
    c.d_ff = 128;
    c.num_layers = c.num_decoder_layers = 2;
    c.num_heads = 4;
    return c;
  }
  if (name == "t5-small") {
    c.d_model = 512;
    c.d_ff = 2048;
    c.num_layers = c.num_decoder_layers = 6;
    c.num_heads = 8;
    return c;
  }
  if (name == "flan-t5-small") {
    c.d_model = 512;
    c.num_layers = c.num_decoder_layers = 8;
    c.gated_gelu = true;
    c.tied_head = false;
    return c;
  }
  throw UsageError("--model.preset: no preset \"" + name +
                   "\"; choose tiny, tiger, t5-small or flan-t5-small");
}

T5Config T5Config::from_file(const std::filesystem::path& config_json) {
  return parse(Fields(read_json(config_json), config_json.string()));
}

T5Config T5Config::from_json(const std::string& text, const std::string& origin) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw DataError(origin + ": its model configuration is no JSON");
  return parse(Fields(std::move(json), origin));
}

std::string T5Config::to_json() const {
  Json json;
  json["architectures"] = {"T5ForConditionalGeneration"};
  json["model_type"] = "t5";
  json["is_encoder_decoder"] = true;
  json["vocab_size"] = vocab_size;
  json["d_model"] = d_model;
  json["d_kv"] = d_kv;
  json["d_ff"] = d_ff;
  json["num_layers"] = num_layers;
  json["num_decoder_layers"] = num_decoder_layers;
  json["num_heads"] = num_heads;
  json["relative_attention_num_buckets"] = relative_attention_num_buckets;
  json["relative_attention_max_distance"] = relative_attention_max_distance;
  json["dropout_rate"] = dropout_rate;
  json["layer_norm_epsilon"] = layer_norm_epsilon;
  json["initializer_factor"] = initializer_factor;
  json["feed_forward_proj"] = gated_gelu ? "gated-gelu" : "relu";
  json["tie_word_embeddings"] = tied_head;
  json["pad_token_id"] = 0;
  json["eos_token_id"] = 1;
  json["decoder_start_token_id"] = 0;
  json["torch_dtype"] = "float32";
  return json.dump(2) + "\n";
}

}  // namespace genrec
