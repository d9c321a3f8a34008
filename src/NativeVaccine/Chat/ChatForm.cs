namespace NativeVaccine.Chat;

/// <summary>What stands before and after the text of a message.</summary>
public sealed record ChatTurn(string Prefix, string Suffix);

/// <summary>Where the text of the first system message goes.</summary>
public enum SystemPlace
{
    /// <summary>Into a turn of its own.</summary>
    OwnTurn,

    /// <summary>Into the first user turn, before the user's text.</summary>
    FirstUser,

    /// <summary>Into the last user turn, before the user's text, where that is the last of all.</summary>
    LastUser,
}

/// <summary>Which white space of messages is left out.</summary>
public enum ChatTrim
{
    /// <summary>None.</summary>
    None,

    /// <summary>At both ends of each message that has a turn of its own.</summary>
    Messages,

    /// <summary>The same, but for system messages.</summary>
    Said,

    /// <summary>At both ends of each turn, with a system text that is in it.</summary>
    Turns,
}

/// <summary>
/// How a conversation becomes text: what stands around each message. <c>{bos}</c> and <c>{eos}</c> stand for the texts of the tokenizer's
/// own tokens that open and close a sequence.
/// </summary>
public sealed record ChatForm
{
    /// <summary>Its name: "llama-3", or that it is from a file.</summary>
    public string Name { get; init; } = "";

    /// <summary>Stands before everything.</summary>
    public string Begin { get; init; } = "";

    /// <summary>Around a system message; null where there can be none.</summary>
    public ChatTurn? System { get; init; }

    /// <summary>Around a question.</summary>
    public required ChatTurn User { get; init; }

    /// <summary>Around an answer.</summary>
    public required ChatTurn Assistant { get; init; }

    /// <summary>What the model is to continue with an answer; what stands before an answer unless given.</summary>
    public string? Generation { get; init; }

    /// <summary>The system text of a conversation without one; null for none.</summary>
    public string? DefaultSystem { get; init; }

    /// <summary>Where a first system message goes.</summary>
    public SystemPlace SystemIn { get; init; }

    /// <summary>Which white space is left out.</summary>
    public ChatTrim Trim { get; init; }

    /// <summary>Questions and answers must alternate.</summary>
    public bool Alternates { get; init; }

    /// <summary>A system message is possible as the first one only.</summary>
    public bool SystemFirst { get; init; }

    /// <summary>A first system message without text is left out.</summary>
    public bool SkipsEmptySystem { get; init; }

    /// <summary>Stands after a conversation that no answer is to follow.</summary>
    public string End { get; init; } = "";

    /// <summary>
    /// Qwen3: the last answer after the last question begins with what was thought, even if that is nothing, and other answers lose theirs.
    /// </summary>
    public bool Thinks { get; init; }

    /// <summary>Why a published template that is known cannot be used; null if it can.</summary>
    public string? Refused { get; init; }

    /// <summary>All that the template itself may write around messages.</summary>
    internal IEnumerable<string> Literals =>
        [Begin, System?.Prefix ?? "", System?.Suffix ?? "", User.Prefix, User.Suffix, Assistant.Prefix, Assistant.Suffix, Generation ?? "", End];

    /// <summary>The same form with the texts of a tokenizer's tokens in it.</summary>
    internal ChatForm WithTokens(string begin, string end)
    {
        return this with
        {
            Begin = Fill(Begin),
            System = FillTurn(System),
            User = FillTurn(User)!,
            Assistant = FillTurn(Assistant)!,
            Generation = Generation is null ? null : Fill(Generation),
            End = Fill(End),
        };

        string Fill(string text) => text.Replace("{bos}", begin, StringComparison.Ordinal).Replace("{eos}", end, StringComparison.Ordinal);

        ChatTurn? FillTurn(ChatTurn? turn) => turn is null ? null : new ChatTurn(Fill(turn.Prefix), Fill(turn.Suffix));
    }
}
