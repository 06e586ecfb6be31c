"""One stage a file, each read → compute → write; stages never import stages."""
