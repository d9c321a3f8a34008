using NativeVaccine.Chat;

namespace NativeVaccine.Data.Sets;

/// <summary>What a data set's own record says, in the terms in which models are trained and asked.</summary>
/// <param name="Instruction">What is asked; empty for a conversation.</param>
/// <param name="Input">What it is about; may be empty.</param>
/// <param name="Output">The answer to learn; null or white space if the record has none, and so no label.</param>
internal sealed record ConvertedRecord(string Instruction, string Input, string? Output)
{
    /// <summary>The messages, where the record is a conversation.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; init; } = [];

    /// <summary>A harmful answer beside <see cref="Output"/>, where the record has both.</summary>
    public string? Harmful { get; init; }

    /// <summary>Which of the data set's kinds of records it is, for <c>--only</c>; null where there is one kind.</summary>
    public string? Kind { get; init; }

    /// <summary>The class that it is counted under in the report.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Kinds of harm that it is counted under, and that stay with a prompt, so that answers can be judged by category.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Whether there is something to learn.</summary>
    public bool HasLabel => !string.IsNullOrWhiteSpace(Answer) && (Harmful is null || !string.IsNullOrWhiteSpace(Harmful));

    /// <summary>The messages that come before the last answer.</summary>
    public IEnumerable<ChatMessage> Asked
    {
        get
        {
            int last = Messages.Count - 1;
            while (last >= 0 && Messages[last].Role != ChatMessage.Assistant) last--;
            return last < 0 ? Messages : Messages.Take(last);
        }
    }

    /// <summary>What is asked, as one text; a single question is the same as a record and as a conversation.</summary>
    public string Prompt
    {
        get
        {
            if (Messages.Count == 0) return Input.Length == 0 ? Instruction : $"{Instruction}\n{Input}";
            ChatMessage[] asked = [.. Asked];
            return asked is [{ Role: ChatMessage.User } only] ? only.Content : string.Concat(asked.Select(static message => $"{message.Role}\n{message.Content}\n"));
        }
    }

    /// <summary>The answer, as one text.</summary>
    public string? Answer => Messages.Count == 0 ? Output : Messages.LastOrDefault(static message => message.Role == ChatMessage.Assistant)?.Content;
}
