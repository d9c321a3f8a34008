using NativeVaccine.Chat;

namespace NativeVaccine.Data.Sets;

/// <summary>Conversations: messages with role and content. A conversation without an answer has no label.</summary>
internal sealed class ChatSet() : DataSet(
    "chat",
    "Conversations (messages: role and content)",
    "--from ./chat/data --split train --out chat.jsonl")
{
    /// <inheritdoc/>
    public override bool IsOfConversations => true;

    /// <inheritdoc/>
    internal override bool NamesUnusedFields => true;

    /// <inheritdoc/>
    internal override string Expected => "messages (role, content)";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options) =>
        new("", "", null) { Messages = ChatMessage.ReadList(record.Value("messages"), $"{record.Where}: messages") };
}
