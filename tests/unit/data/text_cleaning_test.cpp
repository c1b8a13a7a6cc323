#include "data/text_cleaning.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/item_text.h"

namespace genrec {
namespace {

TEST(CleanText, ResolvesEntities) {
  EXPECT_EQ(clean_text("Salt &amp; Pepper"), "Salt & Pepper");
  EXPECT_EQ(clean_text("Caf&eacute; &#233; &#xE9; &#X20AC;"), "Café é é €");
  EXPECT_EQ(clean_text("it&#39;s &quot;fine&quot;"), "it's fine");
  EXPECT_EQ(clean_text("a&nbsp;b"), "a\u00A0b");
}

TEST(CleanText, KeepsWhatIsNoEntity) {
  EXPECT_EQ(clean_text("AT&T; R&D, &unknown; &#xD800; &#; & ;"), "AT&T; R&D, &unknown; &#xD800; &#; & ;");
  EXPECT_EQ(clean_text("&amp;lt;"), "&lt;");  // resolved once, not twice
}

TEST(CleanText, StripsTagsQuotesAndNewlines) {
  EXPECT_EQ(clean_text("<b>Bold</b> and <br/>more"), "Bold and more");
  EXPECT_EQ(clean_text("  two\r\n\tlines \n"), "two lines");
  EXPECT_EQ(clean_text("5 < 6, a <> b"), "5 < 6, a <> b");
  EXPECT_EQ(clean_text("a \"quoted\" word"), "a quoted word");
  EXPECT_EQ(clean_text(" \n"), "");
}

TEST(CleanText, FoldsDotsAtTheEnd) {
  EXPECT_EQ(clean_text("The end..."), "The end.");
  EXPECT_EQ(clean_text("v1..2"), "v1..2");
  EXPECT_EQ(clean_text("no dot"), "no dot");
}

TEST(CleanText, DropsTextsThatAreTooLongInCharacters) {
  std::string text;
  for (int i = 0; i < 1999; ++i) text += "é";
  EXPECT_EQ(clean_text(text), text);
  EXPECT_EQ(clean_text(text + "é"), "");
}

TEST(UncleanedText, IsCleanedToWhatItWas) {
  EXPECT_EQ(uncleaned_text("R&D, 5 < 6. Café"), "R&D, 5 < 6. Café");
  for (const char* raw : {"Salt &amp; Pepper", "&amp;lt;b&amp;gt;", "a &amp;amp;amp; b", "<<b>b>bold",
                          "<<<i>/i>", "&amp;quot; <<!>a <<!>b>", "The end...", ""}) {
    const std::string clean = clean_text(raw);
    EXPECT_EQ(clean_text(uncleaned_text(clean)), clean) << raw;
  }
  EXPECT_EQ(clean_text("<<b>b>bold"), "<b>bold");  // so a second cleaning would take more away
}

TEST(ItemTexts, JoinsTitleAndDescription) {
  const Catalogue catalogue{{"Tea", "", "Lamp"}, {"green", "plain", ""}};
  EXPECT_EQ(item_texts(catalogue, "title"), catalogue.titles);
  EXPECT_EQ(item_texts(catalogue, "title+description"),
            (std::vector<std::string>{"Tea, green", "plain", "Lamp"}));
  EXPECT_THROW((void)item_texts(catalogue, "brand"), UsageError);
}

}  // namespace
}  // namespace genrec
