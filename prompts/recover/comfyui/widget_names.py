"""The names of nodes' widgets, in the order in which the interface stores their values (what controls a seed left out).

For graphs of the interface only: the executed graph names every value. Core and partner nodes as ComfyUI 0.3.75
defines them (a test compares); newer ones as workflows of 2026 name them, custom ones as their authors do, both as far
as their first values go. Kept are nodes that hold texts, that make or steer a picture, or choose between others.
"""

from __future__ import annotations

from collections.abc import Iterator

_ROWS = """
KSampler: seed steps cfg sampler_name scheduler denoise
CheckpointLoaderSimple, unCLIPCheckpointLoader, ImageOnlyCheckpointLoader: ckpt_name
CLIPTextEncode, PhotoMakerEncode, CLIPTextEncodeControlnet: text
CLIPSetLastLayer: stop_at_clip_layer
VAELoader: vae_name
EmptyLatentImage, EmptySD3LatentImage, EmptyHunyuanImageLatent, EmptyFlux2LatentImage: width height batch_size
EmptyChromaRadianceLatentImage: width height batch_size
LatentUpscale, ImageScale, HunyuanVideo15LatentUpscaleWithModel: upscale_method width height crop
LatentUpscaleBy, ImageScaleBy: upscale_method scale_by
SaveImage: filename_prefix
EmptyImage: width height batch_size color
ConditioningAverage: conditioning_to_strength
ConditioningSetArea, ConditioningSetAreaPercentage: width height x y strength
ConditioningSetAreaStrength, ControlNetApply: strength
ConditioningSetMask, ConditioningSetProperties, ConditioningSetPropertiesAndCombine: strength set_cond_area
PairConditioningSetProperties, PairConditioningSetPropertiesAndCombine: strength set_cond_area
KSamplerAdvanced: add_noise noise_seed steps cfg sampler_name scheduler start_at_step end_at_step
  return_with_leftover_noise
LatentCrop, ImageCrop: width height x y
LoraLoader: lora_name strength_model strength_clip
CLIPLoader: clip_name type device
UNETLoader: unet_name weight_dtype
DualCLIPLoader: clip_name1 clip_name2 type device
unCLIPConditioning: strength noise_augmentation
ControlNetApplyAdvanced: strength start_percent end_percent
GLIGENTextBoxApply: text width height x y
InpaintModelConditioning: noise_mask
CheckpointLoader: config_name ckpt_name
ConditioningSetTimestepRange: start end
LoraLoaderModelOnly: lora_name strength_model
CLIPTextEncodeSDXLRefiner: ascore width height text
CLIPTextEncodeSDXL: width height crop_w crop_h target_width target_height text_g text_l
SamplerCustom: add_noise noise_seed cfg
BasicScheduler: scheduler steps denoise
KarrasScheduler, PolyexponentialScheduler: steps sigma_max sigma_min rho
ExponentialScheduler: steps sigma_max sigma_min
LaplaceScheduler: steps sigma_max sigma_min mu beta
VPScheduler: steps beta_d beta_min eps_s
BetaSamplingScheduler: steps alpha beta
SDTurboScheduler: steps denoise
KSamplerSelect: sampler_name
SplitSigmas: step
SplitSigmasDenoise: denoise
ExtendIntermediateSigmas: steps start_at_sigma end_at_sigma spacing
CFGGuider: cfg
RandomNoise: noise_seed
ModelSamplingFlux: max_shift base_shift width height
SaveAnimatedWEBP: filename_prefix fps lossless quality method
SaveAnimatedPNG: filename_prefix fps compress_level
SVD_img2vid_Conditioning: width height video_frames motion_bucket_id fps augmentation_level
ConditioningSetAreaPercentageVideo: width height temporal x y z strength
PerpNegGuider: cfg neg_scale
StableZero123_Conditioning: width height batch_size elevation azimuth
StableZero123_Conditioning_Batched: width height batch_size elevation azimuth elevation_batch_increment
  azimuth_batch_increment
SV3D_Conditioning: width height video_frames elevation
SD_4XUpscale_Conditioning: scale_ratio noise_augmentation
CLIPTextEncodePixArtAlpha: width height text
StableCascade_EmptyLatentImage: width height compression batch_size
AlignYourStepsScheduler, OptimalStepsScheduler: model_type steps denoise
CLIPTextEncodeSD3: clip_l clip_g t5xxl empty_padding
SkipLayerGuidanceSD3: layers scale start_percent end_percent
GITSScheduler: coeff steps denoise
CLIPTextEncodeHunyuanDiT: bert mt5xl
TextEncodeHunyuanVideo_ImageToVideo: prompt image_interleave
EmptyHunyuanLatentVideo, EmptyHunyuanVideo15Latent, HunyuanVideo15ImageToVideo: width height length batch_size
EmptyMochiLatentVideo, EmptyLTXVLatentVideo, EmptyCosmosLatentVideo: width height length batch_size
CosmosImageToVideoLatent, CosmosPredict2ImageToVideoLatent, WanImageToVideo: width height length batch_size
WanFunControlToVideo, Wan22FunControlToVideo, WanFunInpaintToVideo: width height length batch_size
WanFirstLastFrameToVideo, WanCameraImageToVideo, WanPhantomSubjectToVideo: width height length batch_size
WanSoundImageToVideo, WanHuMoImageToVideo, Wan22ImageToVideoLatent: width height length batch_size
HunyuanImageToVideo: width height length batch_size guidance_type
CLIPTextEncodeFlux: clip_l t5xxl guidance
FluxGuidance: guidance
Flux2Scheduler: steps width height
SkipLayerGuidanceDiT: double_layers single_layers scale start_percent end_percent rescaling_scale
SkipLayerGuidanceDiTSimple: double_layers single_layers start_percent end_percent
LTXVImgToVideo, WanVaceToVideo: width height length batch_size strength
LTXVConditioning: frame_rate
LTXVScheduler: steps max_shift base_shift stretch terminal
ConditioningTimestepsRange: start_percent end_percent
SaveWEBM: filename_prefix codec fps crf
SaveVideo: filename_prefix format codec
CLIPTextEncodeLumina2: system_prompt user_prompt
WanTrackToVideo: tracks width height length batch_size temperature topk
WanAnimateToVideo: width height length batch_size continue_motion_max_frames video_frame_offset
PrimitiveString, PrimitiveStringMultiline, PrimitiveInt, PrimitiveFloat, PrimitiveBoolean: value
CLIPTextEncodeHiDream: clip_l clip_g t5xxl llama
TextEncodeAceStepAudio: tags lyrics lyrics_strength
StringConcatenate: string_a string_b delimiter
StringSubstring: string start end
StringLength: string
CaseConverter, StringTrim: string mode
StringReplace: string find replace
StringContains: string substring case_sensitive
StringCompare: string_a string_b mode case_sensitive
RegexReplace: string regex_pattern replace case_insensitive multiline dotall count
WanCameraEmbedding: camera_pose width height length speed fx fy cx cy
TextEncodeQwenImageEdit, TextEncodeQwenImageEditPlus: prompt
CustomCombo: choice index
GeminiNanoBanana2: prompt model seed aspect_ratio resolution
DualCFGGuider: cfg_conds cfg_cond2_negative style
BerniniConditioning, ARVideoI2V, Kandinsky5ImageToVideo: width height length batch_size
TextGenerate, TextGenerateLTX2Prompt: prompt max_length
TextEncodeAceStepAudio1.5: tags lyrics seed bpm duration
GrokImageNode: model prompt
CLIPVisionEncode: crop
ComfyMathExpression: expression
GLSLShader: fragment_shader
Flux2ImageNode: prompt model model.width model.height
Flux3ImageNode, BriaImageGenerate, Flux3MaxImageToVideoNode, Flux3MaxTextToVideoNode, FluxVideoEditNode: prompt
GrokImageEditNodeV2, IdeogramPImage, IdeogramV4, OpenAIGPTImageNodeV2, Flux3LayoutPrompt: prompt
TextEncodeMingImageEdit, TextEncodeMOSSImageEdit, KlingFirstLastFrameNode: prompt
BriaImageEditNode: model prompt negative_prompt structured_prompt seed guidance_scale steps
BriaProductHolding, BriaVirtualTryOn: instruction
ByteDanceSeedreamNodeV3: prompt model model.size_preset model.width model.height
ByteDanceSeedreamLayerSeparationNodeV2, GeminiVideoOmniV2, HeyGenImageToVideoNode: model model.prompt
HeyGenReferenceToVideoNode, HiggsfieldMotionTransferNode, IdeogramPreciseEditApi: model model.prompt
IdeogramTextToImageApi, IdeogramVectorGenerateApi, Kling4ImageToVideoNode: model model.prompt
Kling4ReferenceToVideoNode, Kling4TextToVideoNode, Kling4EditVideoNode, Krea3ImageNode: model model.prompt
MetaMuseImageEditApi, MetaMuseImageTextToImageApi, MinimaxHailuo03ContextIRNode: model model.prompt
MinimaxHailuo03RegenerateNode, MinimaxHailuo03FirstLastFrameNode, MinimaxHailuo03TextToVideoNode: model model.prompt
OpenRouterImageNode, PixverseV6ImageToVideoNode, PrunaImageToVideoNode, PrunaTextToVideoNode: model model.prompt
ByteDance2ReferenceNodeV2, ByteDance2FirstLastFrameNode, ByteDance2TextToVideoNode: model model.prompt
Vidu4ImageToVideoNode, Vidu4ReferenceVideoNode, Wan3ImageToVideoApi: model model.prompt
Wan3ReferenceToVideoApi, PixverseV6TextToVideoNode, QuiverTextToSVGNodeV2: model model.prompt
GeminiNanoBanana2V2: prompt model model.aspect_ratio model.resolution model.thinking_level seed
GrokVideoNode: model prompt
IdeogramEditApi: model model.prompt model.size model.width model.height
KlingOmniProImageNode: model_name prompt
QwenImageEditApi: model model.prompt model.negative_prompt
RecraftV4TextToImageNode: prompt negative_prompt
HunyuanImageEditApi: model model.prompt model.aspect_ratio model.resolution model.width model.height
HunyuanImageTextToImageApi: model model.prompt model.aspect_ratio model.resolution model.width model.height
TextEncodeFibo2: prompt negative_prompt width height
MOSSImageLayoutPrompt, MiniMaxH3ReferenceToVideo, MiniMaxH3ImageToVideo: prompt width height
ComfySwitchNode: switch
ManualSigmas: sigmas
SeedNode: seed
StringFormat: f_string
JsonExtractString: json_string key
ResolutionSelector: aspect_ratio megapixels multiple
TextEncodeQwenImage21: prompt negative_prompt resolution
TextEncodeBooguEdit: prompt negative_prompt
Ideogram4Scheduler: steps width height mu std
DualModelGuider: cfg
LTXVAudioVAELoader: ckpt_name
EmptyHiDreamO1LatentImage: width height batch_size
EmptyQwenImageLayeredLatentImage: width height layers batch_size
IdeogramV1: prompt turbo aspect_ratio magic_prompt_option seed negative_prompt num_images
IdeogramV2: prompt turbo aspect_ratio resolution magic_prompt_option seed style_type negative_prompt num_images
IdeogramV3: prompt aspect_ratio resolution magic_prompt_option seed num_images rendering_speed
OpenAIDalle2: prompt seed size n
OpenAIDalle3: prompt seed quality style size
OpenAIGPTImage1: prompt seed quality background size n
OpenAIChatNode: prompt persist_context model
MinimaxTextToVideoNode, MinimaxImageToVideoNode: prompt_text model seed
MinimaxHailuoVideoNode: prompt_text seed prompt_optimizer duration resolution
VeoVideoGenerationNode: prompt aspect_ratio negative_prompt duration_seconds enhance_prompt person_generation
  seed model
Veo3VideoGenerationNode: prompt aspect_ratio negative_prompt duration_seconds enhance_prompt person_generation
  seed model generate_audio
Veo3FirstLastFrameNode: prompt negative_prompt resolution aspect_ratio duration seed model generate_audio
KlingTextToVideoNode, KlingStartEndFrameNode: prompt negative_prompt cfg_scale aspect_ratio mode
KlingImage2VideoNode: prompt negative_prompt model_name cfg_scale mode aspect_ratio duration
KlingCameraControlI2VNode, KlingCameraControlT2VNode: prompt negative_prompt cfg_scale aspect_ratio
KlingVideoExtendNode: prompt negative_prompt cfg_scale
KlingLipSyncTextToVideoNode: text voice voice_speed
KlingImageGenerationNode: prompt negative_prompt image_type image_fidelity human_fidelity model_name aspect_ratio n
FluxProUltraImageNode: prompt prompt_upsampling seed aspect_ratio raw image_prompt_strength
FluxKontextProImageNode, FluxKontextMaxImageNode: prompt aspect_ratio guidance steps seed prompt_upsampling
FluxProExpandNode: prompt prompt_upsampling top bottom left right guidance steps seed
FluxProFillNode: prompt prompt_upsampling guidance steps seed
Flux2ProImageNode: prompt width height seed prompt_upsampling
ByteDanceImageNode: model prompt size_preset width height seed guidance_scale watermark
ByteDanceImageEditNode: model prompt seed guidance_scale watermark
ByteDanceSeedreamNode: model prompt size_preset width height sequential_image_generation max_images seed
  watermark fail_on_partial
ByteDanceTextToVideoNode: model prompt resolution aspect_ratio duration seed camera_fixed watermark
ByteDanceImageToVideoNode: model prompt resolution aspect_ratio duration seed camera_fixed watermark
ByteDanceFirstLastFrameNode: model prompt resolution aspect_ratio duration seed camera_fixed watermark
ByteDanceImageReferenceNode: model prompt resolution aspect_ratio duration seed watermark
LtxvApiTextToVideo, LtxvApiImageToVideo: model prompt duration resolution fps generate_audio
LumaImageNode: prompt model aspect_ratio seed style_image_weight
LumaImageModifyNode: prompt image_weight model seed
LumaVideoNode: prompt model aspect_ratio resolution duration loop seed
LumaImageToVideoNode: prompt model resolution duration loop seed
RecraftTextToImageNode: prompt size n seed
RecraftImageToImageNode: prompt n strength seed
RecraftImageInpaintingNode, RecraftReplaceBackgroundNode: prompt n seed
RecraftTextToVectorNode: prompt substyle size n seed
RecraftStyleV3InfiniteStyleLibrary: style_id
PixverseTextToVideoNode: prompt aspect_ratio quality duration_seconds motion_mode seed negative_prompt
PixverseImageToVideoNode: prompt quality duration_seconds motion_mode seed negative_prompt
PixverseTransitionVideoNode: prompt quality duration_seconds motion_mode seed negative_prompt
StabilityStableImageUltraNode: prompt aspect_ratio style_preset seed image_denoise
StabilityStableImageSD_3_5Node: prompt model aspect_ratio style_preset cfg_scale seed image_denoise
StabilityUpscaleConservativeNode: prompt creativity seed
StabilityUpscaleCreativeNode: prompt creativity style_preset seed
StabilityTextToAudio: model prompt duration seed steps
PikaImageToVideoNode2_2, PikaStartEndFrameNode2_2: prompt_text negative_prompt seed resolution duration
PikaTextToVideoNode2_2: prompt_text negative_prompt seed resolution duration aspect_ratio
PikaScenesV2_2: prompt_text negative_prompt seed resolution duration ingredients_mode aspect_ratio
Pikadditions: prompt_text negative_prompt seed
Pikaswaps: prompt_text negative_prompt seed region_to_modify
Pikaffects: pikaffect prompt_text negative_prompt seed
RunwayFirstLastFrameNode, RunwayImageToVideoNodeGen3a, RunwayImageToVideoNodeGen4: prompt duration ratio seed
RunwayTextToImageNode: prompt ratio
OpenAIVideoSora2: model prompt size duration seed
TopazImageEnhance: model prompt
MoonvalleyImg2VideoNode, MoonvalleyTxt2VideoNode: prompt negative_prompt resolution prompt_adherence seed steps
MoonvalleyVideo2VideoNode: prompt negative_prompt seed steps control_type motion_intensity
GeminiNode: prompt model seed
GeminiImageNode: prompt model seed aspect_ratio response_modalities
GeminiImage2Node: prompt model seed aspect_ratio resolution response_modalities
ViduTextToVideoNode, ViduReferenceVideoNode: model prompt duration seed aspect_ratio resolution movement_amplitude
ViduImageToVideoNode, ViduStartEndToVideoNode: model prompt duration seed resolution movement_amplitude
WanTextToImageApi: model prompt negative_prompt width height seed prompt_extend watermark
WanImageToImageApi: model prompt negative_prompt seed watermark
WanTextToVideoApi: model prompt negative_prompt size duration seed generate_audio prompt_extend watermark
WanImageToVideoApi: model prompt negative_prompt resolution duration seed generate_audio prompt_extend watermark
ShowText|pysssss: text_0
LoraLoader|pysssss: lora_name strength_model strength_clip
CheckpointLoader|pysssss: ckpt_name
Text Multiline, Text String: text
Text Concatenate: delimiter clean_whitespace
easy positive: positive
easy negative: negative
easy string: value
easy showAnything: text
JoinStrings: delimiter
JoinStringMulti: inputcount delimiter return_list
StringConstant, StringConstantMultiline: string strip_newlines
String Literal: string
CR Text: text
CR Prompt Text: prompt
CR Text Concatenate: text1 text2 separator
CR Text Input Switch, CR Conditioning Input Switch, CR Model Input Switch, CR Image Input Switch: Input
CR Latent Input Switch: Input
CR LoRA Stack: switch_1 lora_name_1 model_weight_1 clip_weight_1 switch_2 lora_name_2 model_weight_2
  clip_weight_2 switch_3 lora_name_3 model_weight_3 clip_weight_3
ImpactSwitch, LatentSwitch, SEGSSwitch: select sel_mode
ImpactConditionalBranch: cond
ImpactWildcardProcessor: wildcard_text populated_text mode seed
ImpactWildcardEncode: wildcard_text populated_text mode seed
Seed (rgthree): seed
Power Prompt (rgthree): prompt
Power Prompt - Simple (rgthree): prompt
SDXL Power Prompt - Positive (rgthree): prompt_g prompt_l
SDXL Power Prompt - Simple / Negative (rgthree): prompt_g prompt_l
Efficient Loader: ckpt_name vae_name clip_skip lora_name lora_model_strength lora_clip_strength positive
  negative token_normalization weight_interpretation empty_latent_width empty_latent_height batch_size
KSampler (Efficient): seed steps cfg sampler_name scheduler denoise preview_method vae_decode
KSampler SDXL (Eff.): noise_seed steps cfg sampler_name scheduler start_at_step refine_at_step preview_method
  vae_decode
BNK_CLIPTextEncodeAdvanced: text token_normalization weight_interpretation
smZ CLIPTextEncode: text
UltimateSDUpscale: upscale_by seed steps cfg sampler_name scheduler denoise
FaceDetailer: guide_size guide_size_for max_size seed steps cfg sampler_name scheduler denoise
WanVideoTextEncode: positive_prompt negative_prompt force_offload
WanVideoTextEncodeCached: model_name precision positive_prompt negative_prompt quantization use_disk_cache device
WanVideoLoraSelect: lora strength
WanVideoLoraSelectMulti: lora_0 strength_0 lora_1 strength_1 lora_2 strength_2 lora_3 strength_3 lora_4 strength_4
UnetLoaderGGUF, UnetLoaderGGUFAdvanced: unet_name
WanVideoSampler: steps cfg shift seed force_offload scheduler
SDXLPromptStyler: text_positive text_negative style
"""
"""Classes, a colon and the names of their values; a line that begins with blanks goes on with the one before."""


def _rows() -> Iterator[tuple[str, tuple[str, ...]]]:
    for row in _ROWS.replace("\n  ", " ").strip().splitlines():
        types, _, names = row.partition(": ")
        yield from ((node_type, tuple(names.split())) for node_type in types.split(", "))


WIDGET_NAMES: dict[str, tuple[str, ...]] = dict(_rows())
