# sh say.sh PROCESS TEXT: writes a line where the `dotnet` that builds writes its errors. `dotnet run` shows no message of a build, and a
# minute of silence looks like a hang. PROCESS: the one that builds, which may be a helper (nodemode) of that `dotnet`. Not into a file,
# whose writer would write over it.
process=$1
case $(tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null) in
    *nodemode*) process=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$process/status") ;;
esac
if [ "$process" -gt 1 ] && [ -w "/proc/$process/fd/2" ]; then
    [ -f "/proc/$process/fd/2" ] || echo "$2" >>"/proc/$process/fd/2"
else
    echo "$2" >/dev/tty
fi 2>/dev/null
exit 0
