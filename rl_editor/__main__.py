"""`python -m rl_editor` is `rl-editor`."""

from rl_editor.cli.main import main

if __name__ == "__main__":
    main()
