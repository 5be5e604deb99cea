"""What a controller and a lab's machines lack, in the words of a fix."""
