using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Chat;

/// <summary>A message of a conversation.</summary>
/// <param name="Role">Who says it: <see cref="System"/>, <see cref="User"/> or <see cref="Assistant"/>.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>The role of instructions for the whole conversation.</summary>
    public const string System = "system";

    /// <summary>The role of questions.</summary>
    public const string User = "user";

    /// <summary>The role of answers.</summary>
    public const string Assistant = "assistant";

    private static readonly string[] Roles = [System, User, Assistant];

    /// <summary>ShareGPT's names of the speakers, and the roles that FastChat, Axolotl and LLaMA-Factory take them for.</summary>
    private static readonly Dictionary<string, string> Speakers = new(StringComparer.Ordinal)
    {
        ["system"] = System,
        ["human"] = User,
        ["user"] = User,
        ["gpt"] = Assistant,
        ["assistant"] = Assistant,
    };

    /// <summary>Reads a list of messages.</summary>
    /// <param name="list">An array of objects with role and content.</param>
    /// <param name="where">File, record and field, for messages.</param>
    /// <exception cref="InputException">It is empty, or a message is none of these roles or no text.</exception>
    internal static List<ChatMessage> ReadList(JsonElement list, string where) =>
        ReadList(list, where, "role", "content", Roles, static role => Roles.Contains(role) ? role : null);

    /// <summary>Reads a list of messages in ShareGPT's form.</summary>
    /// <param name="list">An array of objects with from and value.</param>
    /// <param name="where">File, record and field, for messages.</param>
    /// <exception cref="InputException">It is empty, or a message is nobody's of these or no text.</exception>
    internal static List<ChatMessage> ReadShareGpt(JsonElement list, string where) =>
        ReadList(list, where, "from", "value", Speakers.Keys, static from => Speakers.GetValueOrDefault(from));

    private static List<ChatMessage> ReadList(
        JsonElement list, string where, string speaker, string text, IEnumerable<string> expected, Func<string, string?> roleOf)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            string what = list.ValueKind == JsonValueKind.Array ? "empty" : JsonRecord.Describe(list);
            throw new InputException($"{where} is {what}: expected messages with {speaker} and {text}");
        }
        var messages = new List<ChatMessage>();
        foreach (JsonElement message in list.EnumerateArray())
        {
            string each = FormattableString.Invariant($"{where}[{messages.Count}]");
            JsonRecord.RequireObject(message, each);
            string name = JsonRecord.RequiredText(message, speaker, each);
            string role = roleOf(name)
                ?? throw new InputException($"{each}: {speaker} '{InputText.Shorten(name)}' is not supported: expected {string.Join(", ", expected)}");
            messages.Add(new ChatMessage(role, JsonRecord.RequiredText(message, text, each)));
        }
        return messages;
    }
}

/// <summary>A conversation to learn from.</summary>
/// <param name="Messages">The messages, at least one.</param>
/// <param name="PromptCount">So many of the first are a prompt, whose answers are not learnt.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, int PromptCount = 0);
