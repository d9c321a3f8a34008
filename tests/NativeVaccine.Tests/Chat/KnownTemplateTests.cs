using System.Text.Json;
using NativeVaccine.Chat;

namespace NativeVaccine.Tests.Chat;

/// <summary>The published chat templates that are known, against what Jinja2 renders (tests/chat-templates.sh).</summary>
public class KnownTemplateTests
{
    private static readonly JsonElement Published = Read("published.json");

    /// <summary>Conversations that a template renders, but not all of it, or not as what it is; they are refused.</summary>
    private static readonly HashSet<string> RefusedHere =
    [
        // A system message is left out.
        .. new[] { "phi3:14b", "phi-3-mini-first" }.SelectMany(static name => new[]
        {
            "system", "answered", "spaces", "emptySystem", "blank", "scripts", "secondSystem",
        }.Select(conversation => $"{name}/{conversation}")),
        "mixtral:8x22b/answered", "mixtral:8x22b/scripts", "llama2:7b/secondSystem", "llama-2-trim/secondSystem", "vicuna/secondSystem",
        // It is moved, or put where the first one is put otherwise.
        "lenml/deepseek_v3/secondSystem", "llama3.1:8b/secondSystem", "lenml/gemma3/secondSystem",
    ];

    public static TheoryData<string> Known =>
        [.. Published.GetProperty("templates").EnumerateArray().Where(static each => each.TryGetProperty("rendered", out _)).Select(static each => each.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Known))]
    public void RenderedTextIsThatOfJinja(string name)
    {
        JsonElement template = Published.GetProperty("templates").EnumerateArray().Single(each => each.GetProperty("name").GetString() == name);
        ChatForm form = KnownTemplates.Find(JinjaFingerprint.Of(template.GetProperty("template").GetString()!))!
            .WithTokens(template.GetProperty("bos_token").GetString()!, template.GetProperty("eos_token").GetString()!);
        int compared = 0;
        foreach (JsonProperty conversation in Published.GetProperty("conversations").EnumerateObject())
        {
            List<ChatMessage> messages = ChatMessage.ReadList(conversation.Value, name);
            string? expected = template.GetProperty("rendered").GetProperty(conversation.Name).GetString();
            if (expected is null || RefusedHere.Contains($"{name}/{conversation.Name}"))
            {
                Assert.Throws<InputException>(() => Render(form, messages));
                continue;
            }
            Assert.Equal(expected, Render(form, messages));
            compared++;
        }
        Assert.True(compared >= 6, $"{compared}");
    }

    /// <summary>The fixture that came with the task: four templates by @huggingface/jinja.</summary>
    [Theory]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("gemma3")]
    [InlineData("deepseek_v3")]
    public void RenderedTextIsThatOfTheJavaScriptLibrary(string name)
    {
        JsonElement fixture = Read("expected.json");
        JsonElement family = fixture.GetProperty("families").GetProperty(name);
        string template = Published.GetProperty("templates").EnumerateArray().Single(each => each.GetProperty("name").GetString() == $"lenml/{name}").GetProperty("template").GetString()!;
        ChatForm form = KnownTemplates.Find(JinjaFingerprint.Of(template))!
            .WithTokens(family.GetProperty("bos_token").GetString() ?? "", family.GetProperty("eos_token").GetString()!);
        foreach (JsonProperty conversation in fixture.GetProperty("conversations").EnumerateObject())
        {
            Assert.Equal(
                family.GetProperty("rendered").GetProperty(conversation.Name).GetString(),
                Render(form, ChatMessage.ReadList(conversation.Value, name)));
        }
    }

    /// <summary>Of 59 other published templates none is taken for a known one, but those that say the same in other words.</summary>
    [Fact]
    public void OtherTemplatesAreNotKnown()
    {
        string[] others = [.. Published.GetProperty("templates").EnumerateArray().Where(static each => !each.TryGetProperty("rendered", out _))
            .Where(static each => KnownTemplates.Find(JinjaFingerprint.Of(each.GetProperty("template").GetString()!)) is { Refused: null })
            .Select(static each => each.GetProperty("name").GetString()!)];
        Assert.Equal(["nuextract:3.8b"], others);  // Phi-3's first form
        Assert.Equal(59, Published.GetProperty("templates").EnumerateArray().Count(static each => !each.TryGetProperty("rendered", out _)));
    }

    /// <summary>Spacing, quotes, escapes and the way to name a field say nothing; everything else does.</summary>
    [Fact]
    public void AFingerprintIsOfWhatATemplateSays()
    {
        const string Template = "{% for message in messages %}{{'<a>' + message['role'] + '\\n' + message['content'] | trim}}{% endfor %}";
        string expected = JinjaFingerprint.Of(Template);
        string[] same =
        [
            "{% for message in messages %}{{ \"<a>\" + message.role + \"\n\" + message.content|trim }}{% endfor %}\n",
            "{%- for message in messages %}\n    {{- '<a>' + message['role'] + '\\n' + message['content'] | trim }}\r\n{%- endfor %}",
            "{# A comment. #}\n  {% for message in messages %}\n{{ '<a>' + message['role']+'\\n'+message[\"content\"]|trim }}{% endfor -%}\n\n",
        ];
        Assert.All(same, template => Assert.Equal(expected, JinjaFingerprint.Of(template)));
        string[] others =
        [
            Template.Replace(" | trim", "", StringComparison.Ordinal), Template.Replace("<a>", "<a> ", StringComparison.Ordinal),
            Template.Replace("'\\n'", "'\\\\n'", StringComparison.Ordinal), Template.Replace("}}{%", "}} {%", StringComparison.Ordinal),
            Template.Replace("}}{%", "}}\n{%", StringComparison.Ordinal), Template.Replace("['role']", "", StringComparison.Ordinal),
            Template.Replace("messages", "messages[1:]", StringComparison.Ordinal), "x" + Template, Template.Replace("'<a>'", "'<a>\u200b'", StringComparison.Ordinal),
        ];
        Assert.Equal(others.Length + 1, others.Append(Template).Select(JinjaFingerprint.Of).Distinct().Count());
        Assert.Throws<InputException>(() => JinjaFingerprint.Of("{% for"));
        Assert.Throws<InputException>(() => JinjaFingerprint.Of("{{ 'a }}"));
    }

    /// <summary>A known template with any of its characters taken out is not the known one, unless that character says nothing.</summary>
    [Fact]
    public void AModifiedTemplateIsNotTakenForTheKnownOne()
    {
        string template = Published.GetProperty("templates").EnumerateArray().Single(static each => each.GetProperty("name").GetString() == "tinyllama:1.1b").GetProperty("template").GetString()!;
        string known = JinjaFingerprint.Of(template);
        var silent = new List<char>();
        for (int i = 0; i < template.Length; i++)
        {
            try
            {
                if (JinjaFingerprint.Of(template.Remove(i, 1)) == known) silent.Add(template[i]);
            }
            catch (InputException)
            {
                // Nothing is known of it.
            }
        }
        Assert.All(silent, static character => Assert.True(char.IsWhiteSpace(character), $"'{character}'"));
    }

    private static string Render(ChatForm form, List<ChatMessage> messages) =>
        string.Concat(ChatRenderer.Render(form, messages, messages[^1].Role != ChatMessage.Assistant).Select(static piece => piece.Text));

    private static JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("chat", name))).RootElement;
}
