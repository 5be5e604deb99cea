from ciliumlab.cli import main

main()
