"""Where a sitter's face is: white on black, as a mask for image-to-image. Hair that falls over the face is not part of it, a beard is."""

import math

import cv2
import numpy as np

from figure import HeadFrame, beard, face_outline, hair_in_front
from sheet import sheet


def face_mask(scene, pixels):
    """The mask of the sitter as `paint` draws them in the photo manner, uint8 of shape (pixels, pixels), 0 to 255."""
    who = scene.identity
    head = HeadFrame(*who.centre, who.head_width, who.head_height, math.radians(who.tilt))
    turn = who.turn * 0.30
    paper = sheet(2 * pixels).paper(np.zeros((2 * pixels, 2 * pixels, 3), np.uint8))
    paper.fill(head.place(face_outline(who)), (255, 255, 255))
    for shape in beard(scene, who, head, turn):
        paper.fill(shape.points, (255, 255, 255))
    for shape in hair_in_front(scene, who, head, turn):
        if not shape.width:
            paper.fill(shape.points, (0, 0, 0))
    return cv2.resize(paper.image()[..., 0], (pixels, pixels), interpolation=cv2.INTER_AREA).round().astype(np.uint8)
