<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 504: the model server did not answer in time. */
final class UpstreamTimeout extends InternalServerError
{
}
