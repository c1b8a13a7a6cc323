// Holds nothing: the precompiled header of all layers that use LibTorch is made with this file.
