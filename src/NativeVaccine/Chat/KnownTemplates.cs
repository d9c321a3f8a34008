using System.Text.Json;

namespace NativeVaccine.Chat;

/// <summary>
/// The published chat templates that are known: chat-templates.json, each form with the fingerprints of the templates that render so. They
/// were compared with a renderer of Jinja by tests/chat-templates.sh.
/// </summary>
internal static class KnownTemplates
{
    private const string ResourceName = "chat-templates.json";

    private static readonly Dictionary<string, ChatForm> ByFingerprint = Read();

    /// <summary>What a template of unknown form looks like, by texts that it holds; the first that fits.</summary>
    private static readonly (string[] Marks, string Name)[] Likenesses =
    [
        (["<|im_start|>", "<think>"], "Qwen3"),
        (["<|im_start|>"], "ChatML, as Qwen has it"),
        (["<|start_header_id|>"], "Llama-3"),
        (["[INST]", "<<SYS>>"], "Llama-2"),
        (["[INST]"], "Mistral"),
        (["<start_of_turn>"], "Gemma"),
        (["<\uFF5CUser\uFF5C>"], "DeepSeek"),
        (["<|user|>", "<|end|>"], "Phi-3"),
        (["<|user|>"], "Zephyr"),
        (["USER:", "ASSISTANT:"], "Vicuna"),
    ];

    /// <summary>The forms, each by all its fingerprints.</summary>
    public static IReadOnlyDictionary<string, ChatForm> All => ByFingerprint;

    /// <summary>The form of a template; null if it is not known.</summary>
    public static ChatForm? Find(string fingerprint) => ByFingerprint.GetValueOrDefault(fingerprint);

    /// <summary>What a template that is not known was recognised by: "it has Gemma's &lt;start_of_turn&gt;".</summary>
    public static string Likeness(string template)
    {
        foreach ((string[] marks, string name) in Likenesses)
        {
            if (marks.All(mark => template.Contains(mark, StringComparison.Ordinal)))
                return $"it has {string.Join(" and ", marks)} of {name}, but is not a template of that kind that is known";
        }
        return "nothing in it is known";
    }

    private static Dictionary<string, ChatForm> Read()
    {
        using Stream resource = typeof(KnownTemplates).Assembly.GetManifestResourceStream(ResourceName)!;
        using JsonDocument document = JsonDocument.Parse(resource);
        var forms = new Dictionary<string, ChatForm>(StringComparer.Ordinal);
        foreach (JsonElement each in document.RootElement.EnumerateArray())
        {
            ChatForm form = ChatFormReader.Read(each, ResourceName, isKnown: true);
            foreach (JsonElement fingerprint in each.GetProperty("fingerprints").EnumerateArray()) forms.Add(fingerprint.GetString()!, form);
        }
        return forms;
    }
}
