namespace NativeVaccine.Chat;

/// <summary>Puts a conversation into a form, piece by piece.</summary>
/// <param name="form">The form, with the tokenizer's tokens in it.</param>
/// <param name="messages">The conversation.</param>
/// <param name="promptCount">So many of its messages are a prompt, whose answers are not learnt.</param>
internal sealed class ChatRenderer(ChatForm form, IReadOnlyList<ChatMessage> messages, int promptCount)
{
    private const string ThoughtBegin = "<think>";
    private const string ThoughtEnd = "</think>";
    private readonly List<ChatPiece> pieces = [];

    /// <summary>The pieces.</summary>
    /// <param name="form">The form.</param>
    /// <param name="messages">The conversation.</param>
    /// <param name="isPrompt">True if the model is to go on with an answer.</param>
    /// <param name="promptCount">So many of its messages are a prompt, whose answers are not learnt.</param>
    /// <exception cref="InputException">The form has no place for a message.</exception>
    public static List<ChatPiece> Render(ChatForm form, IReadOnlyList<ChatMessage> messages, bool isPrompt, int promptCount = 0)
    {
        var renderer = new ChatRenderer(form, messages, promptCount);
        renderer.Add();
        renderer.Template(isPrompt ? form.Generation ?? form.Assistant.Prefix : form.End);
        return renderer.pieces;
    }

    private void Add()
    {
        int first = messages[0].Role == ChatMessage.System ? 1 : 0;
        string? system = first == 1 ? messages[0].Content : form.DefaultSystem;
        if (system is not null && form.System is null) throw Refusal("has no place for a system message");
        if (system is not null && form.SystemIn == SystemPlace.LastUser && messages[^1].Role != ChatMessage.User)
            throw Refusal("leaves a system message out unless a user's is the last one");
        if (form.SkipsEmptySystem && system is "") system = null;
        Template(form.Begin);
        if (system is not null && form.SystemIn == SystemPlace.OwnTurn) AddTurn(form.System!, system, isSystem: true);
        for (int i = first; i < messages.Count; i++)
        {
            if (form.Alternates && (messages[i].Role == ChatMessage.User) != ((i - first) % 2 == 0))
                throw Refusal(FormattableString.Invariant($"wants user and assistant to take turns; message {i} is the {messages[i].Role}'s"));
            switch (messages[i].Role)
            {
                case ChatMessage.System when form.System is null || form.SystemFirst || form.SystemIn != SystemPlace.OwnTurn:
                    throw Refusal(FormattableString.Invariant($"has no place for a system message after others; message {i} is one"));
                case ChatMessage.System:
                    AddTurn(form.System!, messages[i].Content, isSystem: true);
                    break;
                case ChatMessage.User:
                    bool holdsSystem = form.SystemIn switch
                    {
                        SystemPlace.FirstUser => i == first,
                        SystemPlace.LastUser => i == messages.Count - 1,
                        _ => false,
                    };
                    AddUser(messages[i].Content, holdsSystem ? system : null);
                    break;
                default:
                    AddAnswer(i);
                    break;
            }
        }
    }

    private InputException Refusal(string what) => new($"the chat template ({form.Name}) {what}");

    private void Template(string text, bool isAnswer = false, bool isEnd = false)
    {
        if (text.Length > 0) pieces.Add(new ChatPiece(text, IsTemplate: true, isAnswer, isEnd));
    }

    private void Text(string text, bool isAnswer = false)
    {
        if (text.Length > 0) pieces.Add(new ChatPiece(text, IsTemplate: false, isAnswer));
    }

    private void AddTurn(ChatTurn turn, string content, bool isSystem = false)
    {
        Template(turn.Prefix);
        Text(isSystem && form.Trim == ChatTrim.Said ? content : Trimmed(content));
        Template(turn.Suffix);
    }

    private void AddUser(string content, string? system)
    {
        if (system is null)
        {
            AddTurn(form.User, content);
            return;
        }
        string after = form.System!.Suffix;
        if (form.Trim == ChatTrim.Turns)
        {
            content = TrimEnd(content);
            if (content.Length == 0) after = TrimEnd(after);
        }
        else content = Trimmed(content);
        Template(form.User.Prefix);
        Template(form.System.Prefix);
        Text(system);
        Template(after);
        Text(content);
        Template(form.User.Suffix);
    }

    private void AddAnswer(int index)
    {
        bool isLearnt = index >= promptCount;
        string asked = form.Generation ?? form.Assistant.Prefix;
        string prefix = form.Assistant.Prefix;
        // What stands before an answer, but not in what the model is to go on from, the model must write.
        int given = prefix.StartsWith(asked, StringComparison.Ordinal) ? asked.Length : prefix.Length;
        Template(prefix[..given]);
        Template(prefix[given..], isLearnt);
        string content = messages[index].Content;
        if (form.Thinks) content = WithThought(content, index);
        Text(Trimmed(content), isLearnt);
        Template(form.Assistant.Suffix, isLearnt, isEnd: true);
    }

    private string WithThought(string content, int index)
    {
        string thought = "";
        if (content.Contains(ThoughtEnd, StringComparison.Ordinal))
        {
            string[] parts = content.Split(ThoughtEnd);
            content = parts[^1].TrimStart('\n');
            thought = parts[0].TrimEnd('\n').Split(ThoughtBegin)[^1].TrimStart('\n');
        }
        bool isLast = index == messages.Count - 1;
        return index > LastQuestion() && (isLast || thought.Length > 0)
            ? $"{ThoughtBegin}\n{thought.Trim('\n')}\n{ThoughtEnd}\n\n{content.TrimStart('\n')}"
            : content;
    }

    /// <summary>The last message of a user that is not what a tool gave back.</summary>
    private int LastQuestion()
    {
        for (int i = messages.Count - 1; i >= 0; i--)
        {
            (string role, string content) = messages[i];
            bool isOfTool = content.StartsWith("<tool_response>", StringComparison.Ordinal) && content.EndsWith("</tool_response>", StringComparison.Ordinal);
            if (role == ChatMessage.User && !isOfTool) return i;
        }
        return messages.Count - 1;
    }

    private string Trimmed(string text) => form.Trim == ChatTrim.None ? text : TrimEnd(TrimStart(text));

    private static string TrimStart(string text)
    {
        int begin = 0;
        while (begin < text.Length && IsSpace(text[begin])) begin++;
        return text[begin..];
    }

    private static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1])) end--;
        return text[..end];
    }

    /// <summary>White space as Python's strip has it, which counts four separators of ASCII in.</summary>
    private static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\x1c' and <= '\x1f';
}
