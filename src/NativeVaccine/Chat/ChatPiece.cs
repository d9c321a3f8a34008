namespace NativeVaccine.Chat;

/// <summary>A piece of a rendered conversation.</summary>
/// <param name="Text">What it adds to the text.</param>
/// <param name="IsTemplate">
/// True if the template wrote it: the texts of special tokens in it are the tokens. In what people wrote they are text.
/// </param>
/// <param name="IsAnswer">True if the model is to learn to write it.</param>
/// <param name="IsEnd">True if it ends an answer: only what comes up to its first token is the answer's.</param>
internal readonly record struct ChatPiece(string Text, bool IsTemplate, bool IsAnswer = false, bool IsEnd = false);
