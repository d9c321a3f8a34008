using NativeVaccine.Chat;

namespace NativeVaccine.Data.Sets;

/// <summary>Conversations: messages with role and content, or ShareGPT's with from and value. One without an answer has no label.</summary>
internal sealed class ChatSet() : DataSet(
    "chat",
    "Conversations (messages: role and content; or ShareGPT's conversations: from and value)",
    "--from ./chat/data --split train --out chat.jsonl")
{
    /// <inheritdoc/>
    public override bool IsOfConversations => true;

    /// <inheritdoc/>
    internal override bool NamesUnusedFields => true;

    /// <inheritdoc/>
    internal override string Expected => "messages (role, content) or conversations (from, value)";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options) =>
        new("", "", null)
        {
            Messages = record.Has("conversations") && !record.Has("messages")
                ? ChatMessage.ReadShareGpt(record.Value("conversations"), $"{record.Where}: conversations")
                : ChatMessage.ReadList(record.Value("messages"), $"{record.Where}: messages"),
        };
}
