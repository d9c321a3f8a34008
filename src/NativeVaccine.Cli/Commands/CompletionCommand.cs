using System.CommandLine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Prints the script by which a shell completes verbs, options and their words: it asks the program itself.</summary>
internal sealed class CompletionCommand : Verb
{
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            # In ~/.bashrc: source <(nvaccine completion bash)
            _nvaccine() {
                local line="${COMP_LINE:0:COMP_POINT}" found
                found=$(command nvaccine "[suggest:${#line}]" "$line" 2>/dev/null)
                COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _nvaccine nvaccine
            """,
        ["zsh"] = """
            # In ~/.zshrc, after compinit: source <(nvaccine completion zsh)
            _nvaccine() {
                local -a found
                found=("${(@f)$(command nvaccine "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
                found=(${found:#})
                if (( ${#found} )); then compadd -a found; else _files; fi
            }
            compdef _nvaccine nvaccine
            """,
        ["fish"] = """
            # In ~/.config/fish/completions/nvaccine.fish: nvaccine completion fish | source
            function __nvaccine_complete
                set -l line (commandline -cp)
                command nvaccine "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
            end
            complete -c nvaccine -a '(__nvaccine_complete)'
            """,
        ["powershell"] = """
            # In $PROFILE: nvaccine completion powershell | Out-String | Invoke-Expression
            Register-ArgumentCompleter -Native -CommandName nvaccine -ScriptBlock {
                param($wordToComplete, $commandAst, $cursorPosition)
                $line = $commandAst.ToString().PadRight($cursorPosition)
                nvaccine "[suggest:$cursorPosition]" $line 2>$null | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
                }
            }
            """,
    };

    private readonly Argument<string> shell = new("SHELL") { Description = $"one of {string.Join(", ", Scripts.Keys)}" };

    public CompletionCommand(CommandContext context) : base(
        "completion",
        "Print the script by which a shell completes this program's command lines",
        "nvaccine completion bash",
        context)
    {
        shell.CompletionSources.Add([.. Scripts.Keys]);
        Add(shell);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string name = parsed.GetRequiredValue(shell);
        if (!Scripts.TryGetValue(name, out string? script))
            throw new InputException($"nvaccine completion: shell '{name}' is unknown; expected one of {string.Join(", ", Scripts.Keys)}");
        Terminal.Out.Write(script.ReplaceLineEndings("\n") + "\n");
        return ExitCode.Success;
    }
}
