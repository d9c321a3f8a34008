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

    /// <summary>Reads a list of messages.</summary>
    /// <param name="list">An array of objects with role and content.</param>
    /// <param name="where">File, record and field, for messages.</param>
    /// <exception cref="InputException">It is empty, or a message is none of these roles or no text.</exception>
    internal static List<ChatMessage> ReadList(JsonElement list, string where)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            throw new InputException($"{where} is {(list.ValueKind == JsonValueKind.Array ? "empty" : JsonRecord.Describe(list))}: expected messages with role and content");
        var messages = new List<ChatMessage>();
        foreach (JsonElement message in list.EnumerateArray())
        {
            string each = FormattableString.Invariant($"{where}[{messages.Count}]");
            JsonRecord.RequireObject(message, each);
            string role = JsonRecord.RequiredText(message, "role", each);
            if (!Roles.Contains(role))
                throw new InputException($"{each}: role '{InputText.Shorten(role)}' is not supported: expected {string.Join(", ", Roles)}");
            messages.Add(new ChatMessage(role, JsonRecord.RequiredText(message, "content", each)));
        }
        return messages;
    }
}

/// <summary>A conversation to learn from.</summary>
/// <param name="Messages">The messages, at least one.</param>
/// <param name="PromptCount">So many of the first are a prompt, whose answers are not learnt.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, int PromptCount = 0);
