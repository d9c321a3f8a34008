using System.Runtime.InteropServices;
using System.Text;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Chat;

/// <summary>
/// Makes tokens of the pieces of a conversation. Only the template's own tokens are tokens; the text between two of them, the template's and
/// people's together, is tokenized as one, as Hugging Face tokenizes the rendered text.
/// </summary>
internal sealed class ChatEncoder
{
    private readonly Tokenizer tokenizer;
    private readonly HashSet<int> own = [];

    /// <summary>An encoder.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="literals">What the template writes; its tokens are not found in what people wrote.</param>
    public ChatEncoder(Tokenizer tokenizer, IEnumerable<string> literals)
    {
        this.tokenizer = tokenizer;
        foreach (string literal in literals)
        {
            foreach ((int? id, _) in tokenizer.CutAtTokens(literal))
            {
                if (id is { } token) own.Add(tokenizer.Required(token));
            }
        }
    }

    /// <summary>The tokens, and which of them are answers and their ends.</summary>
    /// <param name="pieces">The pieces.</param>
    /// <param name="most">There may be more tokens, but they may be left out once there are so many.</param>
    public (int[] Ids, bool[] IsAnswer) Encode(IEnumerable<ChatPiece> pieces, int most)
    {
        var sequence = new Sequence(tokenizer, own, most);
        foreach (ChatPiece piece in pieces)
        {
            if (sequence.IsFull) break;
            bool isAnswer = piece.IsAnswer;
            if (!piece.IsTemplate)
            {
                sequence.Add(piece.Text, isAnswer);
                continue;
            }
            foreach ((int? id, string text) in tokenizer.CutAtTokens(piece.Text))
            {
                if (id is null)
                {
                    sequence.Add(text, isAnswer);
                    continue;
                }
                sequence.Add(id.Value, isAnswer);
                if (piece.IsEnd) isAnswer = false;
            }
        }
        return sequence.Finish();
    }

    private sealed class Sequence(Tokenizer tokenizer, HashSet<int> own, int most)
    {
        private readonly List<int> ids = [];
        private readonly List<bool> answers = [];
        private readonly StringBuilder run = new();
        private readonly List<(int End, bool IsAnswer)> marks = [];
        private bool stripsNext;

        public bool IsFull => ids.Count >= most;

        public void Add(string text, bool isAnswer)
        {
            run.Append(text);
            if (marks.Count > 0 && marks[^1].IsAnswer == isAnswer) marks.RemoveAt(marks.Count - 1);
            marks.Add((run.Length, isAnswer));
        }

        public void Add(int id, bool isAnswer)
        {
            (bool stripsBefore, bool stripsAfter) = tokenizer.Strips(id);
            Flush(stripsBefore);
            ids.Add(id);
            answers.Add(isAnswer);
            stripsNext = stripsAfter;
        }

        public (int[] Ids, bool[] IsAnswer) Finish()
        {
            Flush(stripsBefore: false);
            return ([.. ids], [.. answers]);
        }

        /// <summary>
        /// Tokenizes the text since the last token. A token over the border of two parts counts for the one in which the first part's own
        /// tokens end, as in a prompt with its output.
        /// </summary>
        private void Flush(bool stripsBefore)
        {
            string text = run.ToString();
            int begin = stripsNext ? text.Length - text.AsSpan().TrimStart().Length : 0;
            int end = stripsBefore ? Math.Max(begin, text.AsSpan().TrimEnd().Length) : text.Length;
            bool beginsText = ids.Count == 0;
            int[] all = Encode(text[begin..end]);
            int done = 0;
            foreach ((int partEnd, bool isAnswer) in CollectionsMarshal.AsSpan(marks))
            {
                int cut = Math.Clamp(partEnd, begin, end);
                int until = cut == end ? all.Length : Math.Min(all.Length, Encode(text[begin..cut]).Length);
                for (; done < until; done++) answers.Add(isAnswer);
            }
            ids.AddRange(all);
            run.Clear();
            marks.Clear();
            stripsNext = false;

            int[] Encode(string part) => part.Length == 0 ? [] : tokenizer.EncodePart(part, beginsText, own, most);
        }
    }
}
