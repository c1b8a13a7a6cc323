#include "data/synthetic_words.h"

namespace genrec {

const std::array<SyntheticFamily, 8> kSyntheticFamilies = {{
    {"tea", {"green", "black", "oolong", "herbal", "white", "smoked"}},
    {"lamp", {"desk", "floor", "wall", "garden", "reading", "night"}},
    {"guitar", {"classical", "electric", "bass", "travel", "twelve string", "slide"}},
    {"boots", {"hiking", "winter", "rain", "riding", "work", "climbing"}},
    {"soap", {"lavender", "olive", "honey", "charcoal", "oatmeal", "cedar"}},
    {"novel", {"mystery", "historical", "space", "romance", "war", "sea"}},
    {"drill", {"hammer", "cordless", "bench", "core", "angle", "micro"}},
    {"cheese", {"goat", "blue", "cream", "alpine", "sheep", "cottage"}},
}};

const std::array<std::string_view, 24> kSyntheticMakers = {
    "Aldin",  "Borreth", "Calvane", "Dorsey", "Elmhurst", "Farrow", "Gellert", "Hanley",
    "Irvine", "Jessup",  "Kestrel", "Larkin", "Morrow",   "Nadir",  "Orrin",   "Pelham",
    "Quill",  "Rowan",   "Selby",   "Tarn",   "Ulmer",    "Varley", "Wexford", "Yarrow"};

const std::array<std::string_view, 32> kSyntheticQualities = {
    "small",  "large",  "light",  "heavy",   "plain",    "fine",     "rustic",  "modern",
    "soft",   "bright", "mild",   "strong",  "slim",     "wide",     "quiet",   "bold",
    "simple", "royal",  "daily",  "festive", "northern", "southern", "coastal", "mountain",
    "golden", "silver", "copper", "amber",   "ivory",    "crimson",  "azure",   "violet"};

}  // namespace genrec
