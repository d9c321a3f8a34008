using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>What is made of a data set's records.</summary>
public enum RecordForm
{
    /// <summary>Training data: instruction, input and output, or messages.</summary>
    Records,

    /// <summary>What is asked, without the answers.</summary>
    Prompts,

    /// <summary>Pairs: instruction, input, a harmful and a harmless answer.</summary>
    Pairs,
}

/// <summary>
/// A data set of the field: what its published files hold, and what records the T-Vaccine authors' program makes of them
/// (docs/data.md). Each is one file beside this one.
/// </summary>
public abstract class DataSet
{
    private protected DataSet(string name, string description, string example) => (Name, Description, Example) = (name, description, example);

    /// <summary>The word for every kind of record.</summary>
    public const string AllKinds = "all";

    /// <summary>The name of the verb.</summary>
    public string Name { get; }

    /// <summary>What becomes of it, in a sentence.</summary>
    public string Description { get; }

    /// <summary>The files of an example's command line.</summary>
    public string Example { get; }

    /// <summary>The kinds of its records, which can be asked for; empty where there is one.</summary>
    public virtual IReadOnlyList<string> Kinds => [];

    /// <summary>What its kinds are, where their names do not say it.</summary>
    public virtual string? KindsAre => null;

    /// <summary>The forms that can be made of it; the first unless asked otherwise.</summary>
    public virtual IReadOnlyList<RecordForm> Forms => [RecordForm.Records, RecordForm.Prompts];

    /// <summary>What the authors' program does otherwise, in a few words; null where it does the same.</summary>
    public virtual string? ReferenceDiffers => null;

    /// <summary>Whether its records are conversations, which only chat templates have a form for.</summary>
    public virtual bool IsOfConversations => false;

    /// <summary>Whether <see cref="ConversionOptions.Field"/> may say where the question stands.</summary>
    public virtual bool TakesField => false;

    /// <summary>The kind that is taken unless one is asked for.</summary>
    /// <param name="preset">Whose rule counts.</param>
    /// <param name="form">What is made.</param>
    public virtual string DefaultKindFor(Preset preset, RecordForm form) => AllKinds;

    /// <summary>Whether fields that nothing reads are named: they may have been meant to change what is learnt.</summary>
    internal virtual bool NamesUnusedFields => false;

    /// <summary>The fields that a record must have, for messages.</summary>
    internal abstract string Expected { get; }

    /// <summary>What a record says.</summary>
    /// <param name="record">The record.</param>
    /// <param name="index">How many came before it.</param>
    /// <param name="options">What is made.</param>
    /// <exception cref="InputException">It does not fit; the message names record and field.</exception>
    internal abstract ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options);
}
